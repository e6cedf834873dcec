internal import Foundation
internal import NibbleTensors

/// Cosines and sines of the rotary embedding for the positions so far, and their application to heads.
struct RotaryTable {
  private let frequencies: [Float]
  private let pairing: RopeConfig.Pairing
  private let headFeatureCount: Int
  private var cosines: [Float] = []
  private var sines: [Float] = []
  private var positionCount = 0

  init(config: ModelConfig) {
    frequencies = config.rope.frequencies
    pairing = config.rope.pairing
    headFeatureCount = config.headFeatureCount
  }

  /// Fills the table up to `count` positions. Angles are single-precision products, as the reference computes them.
  mutating func prepare(positions count: Int) {
    guard count > positionCount else { return }
    let target = max(count, 2 * positionCount, 64)
    cosines.reserveCapacity(target * frequencies.count)
    sines.reserveCapacity(target * frequencies.count)
    for position in positionCount..<target {
      for frequency in frequencies {
        let angle = Double(Float(position) * frequency)
        cosines.append(Float(cos(angle)))
        sines.append(Float(sin(angle)))
      }
    }
    positionCount = target
  }

  /// Turns every head of one row in place; `headCount` heads lie one after another.
  func apply(to row: UnsafeMutablePointer<Float>, headCount: Int, position: Int) {
    let pairCount = frequencies.count
    let pairs = position * pairCount..<(position + 1) * pairCount
    cosines[pairs].withUnsafeBufferPointer { cosines in
      sines[pairs].withUnsafeBufferPointer { sines in
        guard let cosines = cosines.baseAddress, let sines = sines.baseAddress else { return }
        VectorKernels.rotate(
          row, cosines: cosines, sines: sines, pairCount: pairCount,
          isInterleaved: pairing == .interleaved, headCount: headCount,
          headStride: headFeatureCount)
      }
    }
  }
}
