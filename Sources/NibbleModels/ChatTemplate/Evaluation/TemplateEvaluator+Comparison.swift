extension TemplateEvaluator {
  func compare(_ left: TemplateValue, _ comparison: TemplateComparison, _ right: TemplateValue)
    throws(ModelError) -> Bool
  {
    switch comparison {
    case .equal: try equal(left, right)
    case .notEqual: !(try equal(left, right))
    case .less: try less(left, right)
    case .greater: try less(right, left)
    case .lessOrEqual: try lessOrEqual(left, right)
    case .greaterOrEqual: try lessOrEqual(right, left)
    case .isIn: try contains(right, left)
    case .isNotIn: !(try contains(right, left))
    }
  }

  /// Python's `left == right`.
  func equal(_ left: TemplateValue, _ right: TemplateValue) throws(ModelError) -> Bool {
    try charge()
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)):
      try charge(1 + min(left.utf8.count, right.utf8.count) / 64)
      return ExactString(left) == ExactString(right)
    case (.sequence(let left), .sequence(let right)):
      guard left.kind.typeName == right.kind.typeName else { return false }
      return try equal(left.elements, right.elements)
    case (.dictionary(let left), .dictionary(let right)): return try equal(left, right)
    case (.namespace(let left), .namespace(let right)), (.macro(let left), .macro(let right)),
      (.loop(let left), .loop(let right)):
      return left == right
    case (.function(let left), .function(let right)): return left == right
    case (.iterator(let left), .iterator(let right)): return left === right
    default:
      if let left = left.integer, let right = right.integer { return left == right }
      if let left = left.number, let right = right.number { return left == right }
      return false
    }
  }

  func equal(_ left: [TemplateValue], _ right: [TemplateValue]) throws(ModelError) -> Bool {
    guard left.count == right.count else { return false }
    try enter()
    defer { leave() }
    for (left, right) in zip(left, right) where !(try equal(left, right)) { return false }
    return true
  }

  private func equal(_ left: TemplateDictionary, _ right: TemplateDictionary) throws(ModelError)
    -> Bool
  {
    guard left.keys.count == right.keys.count else { return false }
    try enter()
    defer { leave() }
    for (key, value) in zip(left.keys, left.values) {
      guard let place = try self.key(key), let other = right[place], try equal(value, other) else {
        return false
      }
    }
    return true
  }

  /// Python's `left < right`: an error for values that have no order.
  func less(_ left: TemplateValue, _ right: TemplateValue) throws(ModelError) -> Bool {
    try charge()
    if let left = left.integer, let right = right.integer { return left < right }
    if let left = left.number, let right = right.number { return left < right }
    if let left = left.string, let right = right.string {
      try charge(1 + min(left.utf8.count, right.utf8.count) / 64)
      return left.utf8.lexicographicallyPrecedes(right.utf8)
    }
    if case .sequence(let first) = left, case .sequence(let second) = right,
      first.kind == second.kind, first.kind == .list || first.kind == .tuple
    {
      try enter()
      defer { leave() }
      for (left, right) in zip(first.elements, second.elements) where !(try equal(left, right)) {
        return try less(left, right)
      }
      return first.elements.count < second.elements.count
    }
    if case .undefined(let message) = left { throw fault(message) }
    if case .undefined(let message) = right { throw fault(message) }
    throw fault("\(left.typeName) and \(right.typeName) have no order")
  }

  private func lessOrEqual(_ left: TemplateValue, _ right: TemplateValue) throws(ModelError)
    -> Bool
  {
    if let left = left.number, let right = right.number, left.isNaN || right.isNaN { return false }
    return !(try less(right, left))
  }

  /// Python's `item in container`.
  func contains(_ container: TemplateValue, _ item: TemplateValue) throws(ModelError) -> Bool {
    switch container {
    case .string(let text):
      guard let part = item.string else {
        throw misuse(of: item, "look inside a text for")
      }
      return try find(part, in: text) != nil
    case .dictionary(let dictionary): return dictionary[try requiredKey(item)] != nil
    case .sequence, .iterator, .undefined:
      for element in try elements(of: container) where try equal(element, item) { return true }
      return false
    default: throw misuse(of: container, "look inside of")
    }
  }

  /// The elements that a loop over `value` visits.
  func elements(of value: TemplateValue) throws(ModelError) -> [TemplateValue] {
    switch value {
    case .undefined: return []
    case .sequence(let sequence): return sequence.elements
    case .iterator(let iterator): return iterator.rest()
    case .dictionary(let dictionary): return dictionary.keys
    case .string(let text):
      try charge(text.utf8.count)
      return text.unicodeScalars.map { .string(String($0)) }
    default: throw misuse(of: value, "loop over")
    }
  }
}
