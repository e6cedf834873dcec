extension Scheme {
  /// Whether tensors may order their columns: those whose groups are runs of columns.
  public var canHaveColumnOrder: Bool {
    if case .group = granularity { !hasColumnOrder } else { false }
  }

  /// Whether `order` names each column once, those of a group in ascending order: which of them stands first in a group
  /// changes no value, so that only one way is used.
  func isColumnOrder(_ order: [Int32]) -> Bool {
    guard case .group(let length) = granularity else { return false }
    var seen = [Bool](repeating: false, count: order.count)
    for (place, column) in order.enumerated() {
      guard column >= 0, column < order.count, !seen[Int(column)],
        place % length == 0 || order[place - 1] < column
      else { return false }
      seen[Int(column)] = true
    }
    return true
  }

  /// Quantizes columns in descending order of importance, so that those of a group are alike (`desc_act` of GPTQ; Frantar et
  /// al. 2022, code).
  ///
  /// - Parameters:
  ///   - weights: rows of `importance.count` columns.
  ///   - importance: the mean square of each input.
  ///   - method: quantizes weights whose columns were put into an order.
  /// - Returns: what `method` found, with the order of its columns.
  /// - Throws: ``QuantizationError`` for schemes without groups, and what `method` throws.
  func ordered(
    _ weights: UnsafeBufferPointer<Float>, importance: [Float],
    _ method: (UnsafeBufferPointer<Float>, Scheme, _ order: [Int32]) throws(QuantizationError) ->
      (QuantizedTensor, LayerReport)
  ) throws(QuantizationError) -> (QuantizedTensor, LayerReport) {
    guard case .group(let length) = granularity else {
      throw QuantizationError(.unsupported, "\(self) has no groups of columns to order")
    }
    let order = importance.indices.sorted { (importance[$0], $1) > (importance[$1], $0) }
      .map { Int32($0) }
    let result = weights.gathered(in: order).withUnsafeBufferPointer { weights in
      Result { () throws(QuantizationError) in try method(weights, inNaturalOrder, order) }
    }
    let (tensor, report) = try result.get()
    let places = stride(from: 0, to: order.count, by: length).flatMap { first in
      (first..<min(first + length, order.count)).sorted { order[$0] < order[$1] }
    }.map { Int32($0) }
    let whole = try QuantizedTensor(
      rowCount: tensor.rowCount, columnCount: tensor.columnCount, scheme: self,
      codes: tensor.codes.gathered(in: places), scales: tensor.scales, offsets: tensor.offsets,
      zeroPoints: tensor.zeroPoints, columnOrder: places.map { order[Int($0)] })
    return (whole, report)
  }
}

extension Collection where Index == Int, Element: BitwiseCopyable {
  /// The columns of a matrix taken in an order: column `i` of the result is column `order[i]`.
  ///
  /// - Parameter order: a permutation of a row's columns.
  /// - Returns: as many rows.
  func gathered(in order: [Int32]) -> [Element] { moved(order, scattering: false) }

  /// Undoes ``gathered(in:)``: column `order[i]` of the result is column `i`.
  func scattered(to order: [Int32]) -> [Element] { moved(order, scattering: true) }

  private func moved(_ order: [Int32], scattering: Bool) -> [Element] {
    precondition(!order.isEmpty || isEmpty)
    return [Element](unsafeUninitializedCapacity: count) { target, initialized in
      for first in stride(from: 0, to: count, by: Swift.max(order.count, 1)) {
        for (place, column) in order.enumerated() {
          let (to, from) = scattering ? (Int(column), place) : (place, Int(column))
          target[first + to] = self[startIndex + first + from]
        }
      }
      initialized = count
    }
  }
}
