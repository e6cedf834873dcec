/// How a body ended.
enum TemplateFlow {
  case normal
  case breakLoop
  case continueLoop
}

extension TemplateEvaluator {
  func run(_ statements: [TemplateStatement]) throws(ModelError) -> TemplateFlow {
    try enter()
    defer { leave() }
    for statement in statements {
      try charge()
      let flow = try run(statement)
      guard flow == .normal else { return flow }
    }
    return .normal
  }

  private func run(_ statement: TemplateStatement) throws(ModelError) -> TemplateFlow {
    switch statement {
    case .text(let text): try emit(text)
    case .output(let expression): try emit(try text(try evaluate(expression)))
    case .evaluate(let expression): _ = try evaluate(expression)
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    case .condition(let branches, let otherwise): return try run(branches, otherwise)
    case .loop(let loop): try run(loop)
    case .assign(let target, let value, let line):
      try assign(try evaluate(value), to: target, line: line)
    case .macro(let macro): scope.set(macro.name ?? "", try define(macro))
    case .callBlock(let call, let caller): try run(call, caller: caller)
    case .capture(let target, let filters, let body, let line):
      try assign(try filtered(body, filters), to: target, line: line)
    case .filterBlock(let filters, let body): try emit(try text(try filtered(body, filters)))
    case .with(let assignments, let body, let line): return try run(assignments, body, line: line)
    case .generation(let body):
      let outer = pushScope()
      _ = try run(body)
      scope = outer
    }
    return .normal
  }

  /// Opens a scope inside the present one, which it returns so that the caller can set it back. An
  /// error ends the whole run, so that nothing needs to be set back then.
  func pushScope() -> TemplateScope {
    let outer = scope
    scope = TemplateScope(parent: outer)
    return outer
  }

  private func run(
    _ branches: [(test: TemplateExpression, body: [TemplateStatement])],
    _ otherwise: [TemplateStatement]
  ) throws(ModelError) -> TemplateFlow {
    for branch in branches where try evaluate(branch.test).isTrue { return try run(branch.body) }
    return try run(otherwise)
  }

  /// What `body` emits, in a scope of its own, put through `filters`.
  private func filtered(_ body: [TemplateStatement], _ filters: TemplateExpression)
    throws(ModelError) -> TemplateValue
  {
    let outer = pushScope()
    let text = try capture(body)
    scope = outer
    captured = text
    return try evaluate(filters)
  }

  private func run(
    _ assignments: [(target: TemplateTarget, value: TemplateExpression)],
    _ body: [TemplateStatement], line: Int
  ) throws(ModelError) -> TemplateFlow {
    var values: [TemplateValue] = []
    for assignment in assignments { values.append(try evaluate(assignment.value)) }
    let outer = pushScope()
    for (assignment, value) in zip(assignments, values) {
      try assign(value, to: assignment.target, line: line)
    }
    let flow = try run(body)
    scope = outer
    return flow
  }

  func assign(_ value: TemplateValue, to target: TemplateTarget, line: Int) throws(ModelError) {
    switch target {
    case .name(let name): scope.set(name, value)
    case .member(let owner, let name):
      self.line = line
      guard case .namespace(let index) = lookup(owner) else {
        throw fault("'\(owner)' is no namespace, so that '\(owner).\(name)' cannot be set")
      }
      namespaces[index].set(name, value)
    case .tuple(let targets):
      self.line = line
      let values = try elements(of: value)
      guard values.count == targets.count else {
        throw fault("\(values.count) values cannot be assigned to \(targets.count) names")
      }
      for (target, value) in zip(targets, values) { try assign(value, to: target, line: line) }
    }
  }

  // MARK: Loops

  private func run(_ loop: TemplateLoop) throws(ModelError) {
    let outer = scope
    let value = try evaluate(loop.items)
    line = loop.line
    var items = try elements(of: value)
    if let filter = loop.filter {
      var kept: [TemplateValue] = []
      for item in items {
        scope = TemplateScope(parent: outer)
        try charge(4)
        try assign(item, to: loop.target, line: loop.line)
        if try evaluate(filter).isTrue { kept.append(item) }
      }
      items = kept
    }
    let index = loops.count
    loops.append(TemplateLoopState(items: items))
    // As in Jinja, an iteration that break or continue cut short does not count as one.
    var hasCompleted = false
    iterations: for position in items.indices {
      try charge(4)
      loops[index].index = position
      scope = TemplateScope(parent: outer)
      scope.set("loop", .loop(index))
      try assign(items[position], to: loop.target, line: loop.line)
      switch try run(loop.body) {
      case .normal: hasCompleted = true
      case .continueLoop: continue
      case .breakLoop: break iterations
      }
    }
    loops[index].items = []
    if !hasCompleted, !loop.otherwise.isEmpty {
      scope = TemplateScope(parent: outer)
      _ = try run(loop.otherwise)
    }
    scope = outer
  }
}
