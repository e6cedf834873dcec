extension QuantizedTensor {
  /// The values `[rowCount, columnCount]`: one float product and, with an offset, one float sum for each.
  public func dequantized() -> [Float] {
    let levels = scheme.element.levels
    let scaleValues = scales.values()
    let offsetValues = offsets?.values()
    guard !codes.isEmpty, !scaleValues.isEmpty else { return [] }
    let groupLength = codes.count / scaleValues.count
    return [Float](unsafeUninitializedCapacity: codes.count) { values, count in
      for group in scaleValues.indices {
        let scale = scaleValues[group]
        let range = group * groupLength..<(group + 1) * groupLength
        if let offset = offsetValues?[group] {
          for i in range { values[i] = levels[Int(codes[i])] * scale + offset }
        } else {
          for i in range { values[i] = levels[Int(codes[i])] * scale }
        }
      }
      count = codes.count
    }
  }
}
