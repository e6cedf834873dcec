/// The names that one body has set; those of the bodies around it are seen through `parent`.
final class TemplateScope {
  let parent: TemplateScope?
  private var values: [String: TemplateValue] = [:]

  init(parent: TemplateScope?) { self.parent = parent }

  func set(_ name: String, _ value: TemplateValue) { values[name] = value }

  func value(_ name: String) -> TemplateValue? {
    var scope: TemplateScope? = self
    while let present = scope {
      if let value = present.values[name] { return value }
      scope = present.parent
    }
    return nil
  }
}

/// Where a loop stands: what its `loop` variable tells.
struct TemplateLoopState {
  var items: [TemplateValue]
  var index = 0
  /// The arguments of the last `loop.changed(…)`.
  var lastChanged: [TemplateValue]?

  init(items: [TemplateValue]) { self.items = items }
}
