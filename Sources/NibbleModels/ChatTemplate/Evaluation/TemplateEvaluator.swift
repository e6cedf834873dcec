internal import NibbleCheckpoints

/// Runs a template once: its state, its limits, and the making of values.
///
/// Every function that loops or recurses over data of the template calls ``charge(_:)``, so that no
/// input can run for long; every string and container is made through ``string(_:)``,
/// ``sequence(_:_:)`` or ``dictionary(_:)``, which bound size and depth.
final class TemplateEvaluator {
  let limits: TemplateLimits
  let date: TemplateDate?
  let variables: TemplateDictionary
  /// The line of the source that is being run, for messages.
  var line = 1
  var scope = TemplateScope(parent: nil)
  var namespaces: [TemplateDictionaryBuilder] = []
  var macros: [(macro: TemplateMacro, scope: TemplateScope)] = []
  var loops: [TemplateLoopState] = []
  /// The text that a block has just captured, while its filters run.
  var captured = ""
  private var output = ""
  private var steps = 0
  private var nesting = 0

  init(variables: JSONObject, limits: TemplateLimits, date: TemplateDate?) throws(ModelError) {
    self.limits = limits
    self.date = date
    var builder = TemplateDictionaryBuilder()
    for name in variables.keys {
      let value = try TemplateEvaluator.value(
        variables[name] ?? .null, depth: 1, limit: limits.valueDepth)
      builder.set(name, value)
    }
    self.variables = builder.dictionary
  }

  private static func value(_ json: JSONValue, depth: Int, limit: Int) throws(ModelError)
    -> TemplateValue
  {
    guard depth < limit else {
      throw ModelError(.template, "the conversation is nested deeper than \(limit) levels")
    }
    switch json {
    case .null: return .none
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(Int(value))
    case .number(let value): return .number(value)
    case .string(let text): return .string(text)
    case .array(let members):
      var elements: [TemplateValue] = []
      var deepest = 0
      for member in members {
        elements.append(try value(member, depth: depth + 1, limit: limit))
        deepest = max(deepest, elements[elements.count - 1].depth)
      }
      return .sequence(TemplateSequence(kind: .list, elements: elements, depth: deepest + 1))
    case .object(let object):
      var builder = TemplateDictionaryBuilder()
      for key in object.keys {
        builder.set(key, try value(object[key] ?? .null, depth: depth + 1, limit: limit))
      }
      return .dictionary(builder.dictionary)
    }
  }

  /// Runs `statements` and returns the text.
  func render(_ statements: [TemplateStatement]) throws(ModelError) -> String {
    _ = try run(statements)
    return output
  }

  // MARK: Limits

  func fault(_ message: String) -> ModelError { templateFault(message, line: line) }

  /// Counts units of work.
  func charge(_ count: Int = 1) throws(ModelError) {
    steps += count
    guard steps <= limits.steps else {
      throw fault("the template did not end within \(limits.steps) steps")
    }
  }

  /// Counts the work of making or reading `byteCount` bytes of text, and refuses what is too long.
  func charge(bytes byteCount: Int) throws(ModelError) {
    guard byteCount <= limits.outputBytes else {
      throw fault("a text of more than \(limits.outputBytes) bytes")
    }
    try charge(1 + byteCount / 64)
  }

  /// Counts one level of nesting of what is run; ``leave()`` takes it back.
  func enter() throws(ModelError) {
    nesting += 1
    guard nesting <= limits.evaluationDepth else {
      throw fault("the template runs nested deeper than \(limits.evaluationDepth) levels")
    }
  }

  func leave() { nesting -= 1 }

  // MARK: Output

  func emit(_ text: String) throws(ModelError) {
    try charge(bytes: text.utf8.count)
    guard output.utf8.count + text.utf8.count <= limits.outputBytes else {
      throw fault("the result has more than \(limits.outputBytes) bytes")
    }
    output += text
  }

  /// Runs `statements` in the present scope and returns what they emit instead of adding it to the
  /// output.
  func capture(_ statements: [TemplateStatement]) throws(ModelError) -> String {
    var inner = ""
    swap(&inner, &output)
    _ = try run(statements)
    swap(&inner, &output)
    return inner
  }

  // MARK: Making values

  func string(_ text: String) throws(ModelError) -> TemplateValue {
    try charge(bytes: text.utf8.count)
    return .string(text)
  }

  private func checked(depth: Int) throws(ModelError) {
    guard depth <= limits.valueDepth else {
      throw fault("lists or dictionaries are nested deeper than \(limits.valueDepth) levels")
    }
  }

  /// One more than the depth of the deepest of `elements`.
  private func depth(over elements: [TemplateValue]) throws(ModelError) -> Int {
    try charge(1 + 2 * elements.count)
    var deepest = 0
    for element in elements { deepest = max(deepest, element.depth) }
    try checked(depth: deepest + 1)
    return deepest + 1
  }

  func sequence(_ kind: TemplateSequence.Kind, _ elements: [TemplateValue]) throws(ModelError)
    -> TemplateValue
  {
    .sequence(
      TemplateSequence(kind: kind, elements: elements, depth: try depth(over: elements)))
  }

  func list(_ elements: [TemplateValue]) throws(ModelError) -> TemplateValue {
    try sequence(.list, elements)
  }

  func iterator(_ elements: [TemplateValue]) throws(ModelError) -> TemplateValue {
    .iterator(TemplateIterator(elements: elements, depth: try depth(over: elements)))
  }

  func dictionary(_ builder: TemplateDictionaryBuilder) throws(ModelError) -> TemplateValue {
    try charge(1 + builder.keys.count)
    try checked(depth: builder.depth + 1)
    return .dictionary(builder.dictionary)
  }

  func method(_ receiver: TemplateValue, _ name: String) throws(ModelError) -> TemplateValue {
    try checked(depth: receiver.depth + 1)
    return .method(TemplateMethod(receiver: receiver, name: name))
  }

  /// The place of `value` in a dictionary; nil for values that cannot be keys, such as lists.
  func key(_ value: TemplateValue) throws(ModelError) -> TemplateKey? {
    switch value {
    case .undefined: return .undefined
    case .none: return TemplateKey.none
    case .bool(let value): return .integer(value ? 1 : 0)
    case .integer(let value): return .integer(value)
    case .number(let value): return Int(exactly: value).map { .integer($0) } ?? .number(value)
    case .string(let text):
      try charge(1 + text.utf8.count / 64)
      return .string(ExactString(text))
    case .namespace(let index), .macro(let index), .loop(let index):
      return .entry(kind: value.typeName, index)
    case .sequence(let sequence) where sequence.kind == .tuple:
      var keys: [TemplateKey] = []
      for element in sequence.elements {
        try charge(8)
        guard let key = try key(element) else { return nil }
        keys.append(key)
      }
      return .tuple(keys)
    default: return nil
    }
  }
}
