internal import Foundation

extension TemplateEvaluator {
  func arithmetic(_ kind: TemplateOperator, _ left: TemplateValue, _ right: TemplateValue)
    throws(ModelError) -> TemplateValue
  {
    if let left = left.integer, let right = right.integer { return try integers(kind, left, right) }
    if let left = left.number, let right = right.number { return try numbers(kind, left, right) }
    if kind == .modulo, case .string(let text) = left { return try format(text, right) }
    if case .undefined(let message) = left { throw fault(message) }
    if case .undefined(let message) = right { throw fault(message) }
    switch (kind, left, right) {
    case (.add, .string(let left), .string(let right)):
      try charge(bytes: left.utf8.count + right.utf8.count)
      return .string(left + right)
    case (.add, .sequence(let first), .sequence(let second))
    where first.kind == second.kind && (first.kind == .list || first.kind == .tuple):
      try charge(first.elements.count + second.elements.count)
      return try sequence(first.kind, first.elements + second.elements)
    case (.multiply, _, _):
      if let count = right.integer, let result = try repeated(left, count) { return result }
      if let count = left.integer, let result = try repeated(right, count) { return result }
    default: break
    }
    throw fault("'\(kind.rawValue)' does not work on \(left.typeName) and \(right.typeName)")
  }

  /// `value` so many times over; nil for values that cannot be repeated.
  private func repeated(_ value: TemplateValue, _ count: Int) throws(ModelError) -> TemplateValue? {
    let count = max(0, count)
    switch value {
    case .string(let text):
      let (byteCount, overflow) = text.utf8.count.multipliedReportingOverflow(by: count)
      try charge(bytes: overflow ? Int.max : byteCount)
      return .string(PythonText.repeated(text, count))
    case .sequence(let sequence) where sequence.kind == .list || sequence.kind == .tuple:
      let (total, overflow) = sequence.elements.count.multipliedReportingOverflow(by: count)
      try charge(overflow ? limits.steps + 1 : min(total, limits.steps + 1))
      var elements: [TemplateValue] = []
      if total > 0 { for _ in 0..<count { elements += sequence.elements } }
      return try self.sequence(sequence.kind, elements)
    default: return nil
    }
  }

  private func integers(_ kind: TemplateOperator, _ left: Int, _ right: Int) throws(ModelError)
    -> TemplateValue
  {
    let result: (partialValue: Int, overflow: Bool)
    switch kind {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .divide: return try numbers(.divide, Double(left), Double(right))
    case .floorDivide, .modulo:
      guard right != 0 else { throw fault("division by zero") }
      if right == -1 {
        if kind == .modulo { return .integer(0) }
        result = 0.subtractingReportingOverflow(left)
        break
      }
      let (quotient, remainder) = left.quotientAndRemainder(dividingBy: right)
      let isBelow = remainder != 0 && (remainder < 0) != (right < 0)
      if kind == .modulo { return .integer(isBelow ? remainder + right : remainder) }
      return .integer(isBelow ? quotient - 1 : quotient)
    case .power: return try power(left, right)
    }
    guard !result.overflow else { throw tooLarge() }
    return .integer(result.partialValue)
  }

  private func power(_ base: Int, _ exponent: Int) throws(ModelError) -> TemplateValue {
    guard exponent >= 0 else { return try numbers(.power, Double(base), Double(exponent)) }
    var (result, square, rest) = (1, base, exponent)
    while rest > 0 {
      if rest & 1 == 1 {
        let (product, overflow) = result.multipliedReportingOverflow(by: square)
        guard !overflow else { throw tooLarge() }
        result = product
      }
      rest >>= 1
      if rest > 0 {
        let (product, overflow) = square.multipliedReportingOverflow(by: square)
        guard !overflow else { throw tooLarge() }
        square = product
      }
    }
    return .integer(result)
  }

  private func numbers(_ kind: TemplateOperator, _ left: Double, _ right: Double)
    throws(ModelError) -> TemplateValue
  {
    switch kind {
    case .add: return .number(left + right)
    case .subtract: return .number(left - right)
    case .multiply: return .number(left * right)
    case .divide, .floorDivide, .modulo:
      guard right != 0 else { throw fault("division by zero") }
      if kind == .divide { return .number(left / right) }
      var remainder = left.truncatingRemainder(dividingBy: right)
      if remainder != 0, (remainder < 0) != (right < 0) { remainder += right }
      if kind == .modulo { return .number(remainder) }
      return .number(((left - remainder) / right).rounded())
    case .power:
      let result = pow(left, right)
      guard result.isFinite || !left.isFinite || !right.isFinite else {
        throw fault("the power \(left) ** \(right) is no number")
      }
      return .number(result)
    }
  }
}
