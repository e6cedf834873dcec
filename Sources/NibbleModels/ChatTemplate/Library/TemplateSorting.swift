extension TemplateEvaluator {
  /// `indices` in the order of their keys, by a stable merge sort, since comparing may fail.
  func sorted(_ indices: [Int], by keys: [TemplateValue], descending: Bool = false)
    throws(ModelError) -> [Int]
  {
    var source = indices
    var width = 1
    while width < source.count {
      var merged: [Int] = []
      merged.reserveCapacity(source.count)
      var start = 0
      while start < source.count {
        let middle = min(start + width, source.count)
        let end = min(start + 2 * width, source.count)
        var (left, right) = (start, middle)
        while left < middle, right < end {
          let (first, second) = (keys[source[left]], keys[source[right]])
          let takesRight = descending ? try less(first, second) : try less(second, first)
          merged.append(source[takesRight ? right : left])
          if takesRight { right += 1 } else { left += 1 }
        }
        merged += source[left..<middle]
        merged += source[right..<end]
        start = end
      }
      source = merged
      width *= 2
    }
    return source
  }

  /// The filter `sort`.
  func sort(_ value: TemplateValue, _ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateValue
  {
    let options = try bind(
      arguments, ["reverse", "case_sensitive", "attribute"], of: "the filter 'sort'")
    let items = try elements(of: value)
    let isCaseSensitive = options[1]?.isTrue ?? false
    var keys: [TemplateValue] = []
    for item in items {
      var parts: [TemplateValue] = []
      for path in try attributePaths(options[2], severalAllowed: true) {
        parts.append(folded(try follow(path, from: item, fallback: nil), isCaseSensitive))
      }
      keys.append(try list(parts))
    }
    let order = try sorted(
      Array(items.indices), by: keys, descending: options[0]?.isTrue ?? false)
    return try list(order.map { items[$0] })
  }

  /// The filter `dictsort`: pairs of key and value in the order of one of them.
  func sortDictionary(_ value: TemplateValue, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    let options = try bind(
      arguments, ["case_sensitive", "by", "reverse"], of: "the filter 'dictsort'")
    guard case .dictionary(let dictionary) = value else { throw misuse(of: value, "sort") }
    let by = try options[1].map { value throws(ModelError) in try text(value, "order") } ?? "key"
    guard by == "key" || by == "value" else {
      throw fault("dictsort sorts by 'key' or 'value', not by '\(by.prefix(60))'")
    }
    let isCaseSensitive = options[0]?.isTrue ?? false
    let keys = (by == "key" ? dictionary.keys : dictionary.values).map {
      folded($0, isCaseSensitive)
    }
    let order = try sorted(
      Array(keys.indices), by: keys, descending: options[2]?.isTrue ?? false)
    let pairs = try pairs(of: dictionary)
    return try list(order.map { pairs[$0] })
  }

  /// The filter `unique`: the first of each group of equal items.
  func unique(_ value: TemplateValue, _ arguments: TemplateCallArguments) throws(ModelError)
    -> TemplateValue
  {
    let options = try bind(arguments, ["case_sensitive", "attribute"], of: "the filter 'unique'")
    let isCaseSensitive = options[0]?.isTrue ?? false
    let path = try attributePaths(options[1], severalAllowed: false)[0]
    var seen: Set<TemplateKey> = []
    var result: [TemplateValue] = []
    for item in try elements(of: value) {
      let key = folded(try follow(path, from: item, fallback: nil), isCaseSensitive)
      if seen.insert(try requiredKey(key)).inserted { result.append(item) }
    }
    return try iterator(result)
  }

  /// The filters `min` and `max`.
  func extreme(_ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments)
    throws(ModelError) -> TemplateValue
  {
    let options = try bind(
      arguments, ["case_sensitive", "attribute"], of: "the filter '\(name)'")
    let isCaseSensitive = options[0]?.isTrue ?? false
    let path = try attributePaths(options[1], severalAllowed: false)[0]
    var best: (item: TemplateValue, key: TemplateValue)?
    for item in try elements(of: value) {
      let key = folded(try follow(path, from: item, fallback: nil), isCaseSensitive)
      if let present = best {
        let isBetter = name == "min" ? try less(key, present.key) : try less(present.key, key)
        if !isBetter { continue }
      }
      best = (item, key)
    }
    return best?.item ?? .undefined("an empty row has no '\(name)'")
  }

  private func folded(_ value: TemplateValue, _ isCaseSensitive: Bool) -> TemplateValue {
    guard !isCaseSensitive, case .string(let text) = value else { return value }
    return .string(text.lowercased())
  }
}
