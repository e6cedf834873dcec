internal import NibbleQuantization

extension CompressedTensorsLayout {
  /// The group of each column (`weight_g_idx`), for an order whose runs of `length` are groups.
  static func groupIndexes(_ order: [Int32], length: Int) -> [UInt8] {
    var indexes = [Int32](repeating: 0, count: order.count)
    for (place, column) in order.enumerated() { indexes[Int(column)] = Int32(place / length) }
    return indexes.withUnsafeBytes { [UInt8]($0) }
  }

  /// The columns group by group, ascending within each.
  ///
  /// - Throws: ``QuantizationError`` when the groups are not runs of `length` columns each.
  static func columnOrder(_ indexes: [Int32], length: Int) throws(QuantizationError) -> [Int32] {
    let groupCount = (indexes.count + length - 1) / length
    var next = (0..<groupCount).map { $0 * length }
    var order = [Int32](repeating: 0, count: indexes.count)
    for (column, group) in indexes.enumerated() {
      guard group >= 0, group < groupCount,
        next[Int(group)] < min((Int(group) + 1) * length, indexes.count)
      else {
        throw QuantizationError(
          .malformed, "its weight_g_idx does not give each group \(length) columns")
      }
      order[next[Int(group)]] = Int32(column)
      next[Int(group)] += 1
    }
    return order
  }
}

extension [UInt8] {
  /// Each byte plus `number`, modulo 256.
  func added(_ number: UInt8) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      self.withUnsafeBufferPointer { source in
        for index in 0..<source.count { target[index] = source[index] &+ number }
      }
      initialized = count
    }
  }

  /// The columns of rows taken in an order: column `i` of the result is column `order[i]`.
  func columnsGathered(in order: [Int32]) -> [UInt8] { columnsMoved(order, scattering: false) }

  /// Undoes ``columnsGathered(in:)``.
  func columnsScattered(to order: [Int32]) -> [UInt8] { columnsMoved(order, scattering: true) }

  private func columnsMoved(_ order: [Int32], scattering: Bool) -> [UInt8] {
    let width = order.count
    precondition(width > 0 && count % width == 0)
    return [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      self.withUnsafeBufferPointer { source in
        order.withUnsafeBufferPointer { order in
          for first in stride(from: 0, to: source.count, by: width) {
            for place in 0..<width {
              let column = Int(order[place])
              if scattering {
                target[first + column] = source[first + place]
              } else {
                target[first + place] = source[first + column]
              }
            }
          }
        }
      }
      initialized = count
    }
  }

  /// The transpose of a matrix whose elements are `width` bytes each.
  ///
  /// - Precondition: the bytes are `[rowCount, columnCount]` elements.
  func blocksTransposed(rowCount: Int, columnCount: Int, width: Int) -> [UInt8] {
    precondition(count == rowCount * columnCount * width)
    var target = [UInt8](repeating: 0, count: count)
    target.withUnsafeMutableBufferPointer { target in
      self.withUnsafeBufferPointer { source in
        for row in 0..<rowCount {
          for column in 0..<columnCount {
            let from = (row * columnCount + column) * width
            let to = (column * rowCount + row) * width
            for byte in 0..<width { target[to + byte] = source[from + byte] }
          }
        }
      }
    }
    return target
  }
}
