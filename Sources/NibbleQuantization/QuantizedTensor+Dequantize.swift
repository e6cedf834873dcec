internal import CNibbleKernels

extension QuantizedTensor {
  /// The values `[rowCount, columnCount]`: one float product and, with a minimum, one float sum for each.
  public func dequantized() -> [Float] {
    guard !codes.isEmpty,
      let groups = try? Groups(scheme, rowCount: rowCount, columnCount: columnCount)
    else { return [] }
    if let columnOrder {
      return expanded(codes, groups).scattered(to: columnOrder)
    }
    guard groups.isTransposed else { return expanded(codes, groups) }
    let sideways = codes.withUnsafeBufferPointer {
      transposed($0, rowCount: rowCount, columnCount: columnCount)
    }
    return expanded(sideways, groups).withUnsafeBufferPointer {
      transposed($0, rowCount: columnCount, columnCount: rowCount)
    }
  }

  private func expanded(_ codes: [UInt8], _ groups: Groups) -> [Float] {
    let expander = GroupExpander(scheme.element)
    let scaleValues = scales.values()
    let offsetValues = offsets?.values()
    let perGroup = scheme.scalesPerGroup
    return [Float](unsafeUninitializedCapacity: codes.count) { values, count in
      codes.withUnsafeBufferPointer { codes in
        scaleValues.withUnsafeBufferPointer { scales in
          guard let source = codes.baseAddress, let scales = scales.baseAddress,
            let target = values.baseAddress
          else { return }
          for group in 0..<groups.count {
            let range = groups.range(group)
            expander.expand(
              source + range.lowerBound, count: range.count,
              scales: scales + group * perGroup, minimum: offsetValues?[group],
              zeroPoint: zeroPoints?[group] ?? 0, into: target + range.lowerBound)
          }
        }
      }
      count = codes.count
    }
  }
}

/// Turns a group's codes into values.
struct GroupExpander: Sendable {
  private enum Kind: Sendable { case integers(bias: Float), table([Float]), learned }
  private let kind: Kind

  init(_ element: ElementFormat) {
    kind =
      switch element {
      case .int(let bits): .integers(bias: Float(1 << (bits - 1)))
      case .uint: .integers(bias: 0)
      case .codebook(let book): .table(Self.everyCode(book, bits: element.bitCount))
      case .learned: .learned
      }
  }

  /// A level for each number that the bits of a code can form: NaN for those that a book leaves out, since codes come from
  /// files.
  private static func everyCode(_ book: Codebook, bits: Int) -> [Float] {
    let levels = book.levels
    return levels + [Float](repeating: .nan, count: 1 << bits - levels.count)
  }

  /// - Parameters:
  ///   - codes: the group's codes.
  ///   - count: how many there are.
  ///   - scales: the group's scale, or its learned levels.
  ///   - minimum: is added to an integer's product with the scale, where there is one.
  ///   - zeroPoint: is taken off an integer code.
  ///   - values: receives `count` values.
  func expand(
    _ codes: UnsafePointer<UInt8>, count: Int, scales: UnsafePointer<Float>, minimum: Float?,
    zeroPoint: UInt8, into values: UnsafeMutablePointer<Float>
  ) {
    switch kind {
    case .integers(let bias):
      let zero = bias + Float(zeroPoint)
      if var minimum {
        groupKernels.expand(codes, count, scales.pointee, zero, &minimum, values)
      } else {
        groupKernels.expand(codes, count, scales.pointee, zero, nil, values)
      }
    case .table(let levels): nk_expand_table(codes, count, levels, scales.pointee, values)
    case .learned: nk_expand_table(codes, count, scales, 1, values)
    }
  }
}
