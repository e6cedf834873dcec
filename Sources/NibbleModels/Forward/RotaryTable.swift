internal import Foundation
internal import NibbleTensors

/// Cosines and sines of a rotary embedding for the positions so far, and their application to heads.
struct RotaryTable {
  private let rope: RopeConfig
  private let headFeatureCount: Int
  private var frequencies: [Float]
  private var variant: Int
  private var cosines: [Float] = []
  private var sines: [Float] = []
  private var positionCount = 0

  init(_ rope: RopeConfig, headFeatureCount: Int) {
    self.rope = rope
    self.headFeatureCount = headFeatureCount
    frequencies = rope.frequencies(sequenceCount: 0)
    variant = rope.variant(sequenceCount: 0)
  }

  /// Fills the table up to `count` positions of a text that has `sequenceCount` tokens when all that are being run are
  /// there. Angles are single-precision products, as the reference computes them.
  mutating func prepare(positions count: Int, sequenceCount: Int) {
    let wanted = rope.variant(sequenceCount: sequenceCount)
    if wanted != variant {
      variant = wanted
      frequencies = rope.frequencies(sequenceCount: sequenceCount)
      cosines.removeAll(keepingCapacity: true)
      sines.removeAll(keepingCapacity: true)
      positionCount = 0
    }
    guard count > positionCount else { return }
    let target = max(count, 2 * positionCount, 64)
    cosines.reserveCapacity(target * frequencies.count)
    sines.reserveCapacity(target * frequencies.count)
    let factor = rope.attentionFactor
    for position in positionCount..<target {
      for frequency in frequencies {
        let angle = Double(Float(position) * frequency)
        cosines.append(Float(cos(angle)) * factor)
        sines.append(Float(sin(angle)) * factor)
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
          isInterleaved: rope.pairing == .interleaved, headCount: headCount,
          headStride: headFeatureCount)
      }
    }
  }
}
