// How thoroughly each type is searched, and what counts as error.
//
// The evenness was chosen by the KL divergence of quantized language models. Plain square error (a large evenness) is
// clearly worse there: it shrinks large weights for the sake of the many small ones. The types with super-blocks need
// some of it to stay below the square error of other quantizers.
#ifndef NIBBLE_BLOCKS_SETTINGS_H
#define NIBBLE_BLOCKS_SETTINGS_H

#include "affine.h"
#include "weights.h"

typedef struct {
  float low, high;             // levels
  float bias;                  // code of level 0; even
  float evenness;              // see weights.h
  int end_count, refinements;  // end_count is a multiple of 4
  float ends[12];              // levels that the extreme element is brought to
} nk_symmetric_settings;

typedef struct {
  float high;                       // highest level; the lowest is 0
  float evenness;                   // see weights.h
  int clipping_count, refinements;  // clipping_count is a multiple of 3
  nk_clipping clippings[12];
} nk_affine_settings;

typedef struct {
  float evenness;  // see weights.h
  int end_count, step_count;
  float ends[14], steps[4];  // steps: factors next to the best scale
} nk_codebook_settings;

static const nk_symmetric_settings nk_q3_k_settings = {
  -4, 3, 4, 2, 12, 1, {-4.0f, -3.6f, -4.4f, -3.2f, 3.4f, -2.8f, 3.0f, 2.6f, -4.8f, 2.2f, -2.4f, 3.8f}};

static const nk_symmetric_settings nk_q4_0_settings = {
  -8, 7, 8, 0, 12, 1, {-8.0f, -7.6f, -8.3f, -7.2f, 7.3f, -8.6f, -6.8f, 6.9f, 6.5f, -6.4f, 6.1f, -7.9f}};

static const nk_symmetric_settings nk_q5_0_settings = {
  -16, 15, 16, 1, 12, 1,
  {-16.0f, -15.6f, -16.3f, -15.2f, 15.3f, -14.8f, 14.9f, -14.4f, 14.5f, -14.0f, 14.1f, -16.5f}};

static const nk_symmetric_settings nk_q6_k_settings = {
  -32, 31, 32, 2, 12, 1,
  {-32.0f, -31.6f, -32.3f, -31.2f, 31.3f, -30.8f, 30.9f, -30.4f, 30.5f, -30.0f, 30.1f, -32.5f}};

// Without the level -128, whose negative other programs' kernels cannot hold. The extreme element is brought to level 127
// and nowhere else: other ends lower the square error and raise the divergence.
static const nk_symmetric_settings nk_q8_0_settings = {
  -127, 127, 128, 1, 4, 0, {127.0f, 127.0f, 127.0f, 127.0f}};

static const nk_affine_settings nk_q2_k_settings = {
  3, 1, 12, 1,
  {{0, 0}, {-.2f, -.2f}, {-.4f, -.4f}, {0, -.3f}, {-.3f, 0}, {0, -.6f},
   {-.6f, 0}, {-.3f, -.6f}, {-.6f, -.3f}, {.2f, .2f}, {-.6f, -.6f}, {.4f, .4f}}};

#define NK_CLIPPINGS                                                                                    \
  {                                                                                                     \
    {0, 0}, {-.4f, -.4f}, {-.8f, -.8f}, {0, -.4f}, {-.4f, 0}, {0, -.8f}, {-.8f, 0}, {-.4f, -.8f},       \
      {-.8f, -.4f}, {.3f, .3f}, {-1.2f, -.4f}, {-.4f, -1.2f},                                           \
  }

static const nk_affine_settings nk_q4_1_settings = {15, 0.25f, 12, 1, NK_CLIPPINGS};
static const nk_affine_settings nk_q4_k_settings = {15, 2, 12, 1, NK_CLIPPINGS};
static const nk_affine_settings nk_q5_1_settings = {31, 0.25f, 12, 1, NK_CLIPPINGS};
static const nk_affine_settings nk_q5_k_settings = {31, 1, 12, 1, NK_CLIPPINGS};

static const nk_codebook_settings nk_iq4_settings = {
  0.5f, 14, 4,
  {-127, -121, -133, -115, 113, 119, 107, -139, -109, 125, 101, -103, 95, -97},
  {1, .98f, 1.02f, 1}};

/// Of the choice between two exponents of MXFP4.
static const float nk_mxfp4_evenness = 1;

#endif
