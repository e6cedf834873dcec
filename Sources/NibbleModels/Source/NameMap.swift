/// Translates tensor names to roles and back for one architecture.
struct NameMap: Sendable {
  /// What a name stands for.
  struct Meaning {
    /// The tensors that follow one another in the named one, for each expert where it holds all of them.
    var ids: [TensorID]
    /// Whether the named tensor holds all experts of its block.
    var holdsAllExperts: Bool
  }

  private struct Entry {
    var roles: [TensorRole]
    var holdsAllExperts: Bool
    var isWhole = false
  }

  private var entries: [String: Entry] = [:]
  private var patterns: [TensorRole: String] = [:]
  let naming: TensorNaming
  private let prefixes: [(spelled: String, usual: String)]

  init(_ names: [RoleName], naming: TensorNaming) {
    self.naming = naming
    for name in names {
      let pattern = name.pattern(naming)
      patterns[name.role] = pattern
      entries[pattern] = Entry(
        roles: [name.role], holdsAllExperts: name.role.isExpert && !pattern.hasExpertIndex)
      for alias in name.aliases {
        entries[alias.pattern] = Entry(
          roles: alias.roles,
          holdsAllExperts: alias.roles[0].isExpert && !alias.pattern.hasExpertIndex,
          isWhole: alias.isWhole)
      }
    }
    prefixes = naming == .huggingFace ? Self.wrappers : [("", "")]
  }

  /// Prefixes under which models stand in Hugging Face folders: as published, and within wrappers.
  private static let wrappers: [(spelled: String, usual: String)] = [
    ("", ""), ("", "model."), ("", "transformer."), ("language_model.", ""),
    ("model.language_model.", "model."), ("model.language_model.", ""),
  ]

  /// Whether the naming has one tensor for all experts of a block.
  func holdsAllExperts(_ role: TensorRole) -> Bool {
    role.isExpert && patterns[role].map { !$0.hasExpertIndex } ?? false
  }

  /// The name of a tensor, or nil when the architecture has no such role.
  func name(of id: TensorID) -> String? {
    if id.role == .unknown { return id.name }
    guard let pattern = patterns[id.role] else { return nil }
    let parts = pattern.split(separator: ".").map { part in
      switch part {
      case "#": String(id.block ?? 0)
      case "*": String(id.expert ?? 0)
      default: String(part)
      }
    }
    return (parts + [id.part.rawValue]).joined(separator: ".")
  }

  /// What `name` spells, or nil when it spells nothing.
  func meaning(of name: String) -> Meaning? {
    for (spelled, usual) in prefixes where name.hasPrefix(spelled) {
      if let meaning = meaning(ofUsual: usual + name.dropFirst(spelled.count)) { return meaning }
    }
    return nil
  }

  private func meaning(ofUsual name: String) -> Meaning? {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    var numbers: [Int] = []
    for (index, text) in parts.enumerated() where !text.isEmpty && text.utf8.allSatisfy(isDigit) {
      guard numbers.count < 2, let value = Int(text), String(value) == text else { return nil }
      parts[index] = numbers.isEmpty ? "#" : "*"
      numbers.append(value)
    }
    if let entry = entries[parts.joined(separator: ".")], entry.isWhole {
      return meaning(entry, numbers, .weight)
    }
    guard let last = parts.popLast(), let part = TensorID.Part(rawValue: last),
      let entry = entries[parts.joined(separator: ".")], !entry.isWhole
    else { return nil }
    return meaning(entry, numbers, part)
  }

  private func meaning(_ entry: Entry, _ numbers: [Int], _ part: TensorID.Part) -> Meaning {
    Meaning(
      ids: entry.roles.map {
        TensorID(
          $0, block: numbers.first, expert: numbers.count > 1 ? numbers[1] : nil, part: part)
      }, holdsAllExperts: entry.holdsAllExperts)
  }
}

extension String {
  fileprivate var hasExpertIndex: Bool { utf8.contains(UInt8(ascii: "*")) }
}

private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
