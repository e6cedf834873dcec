/// A Python package version in the order of PEP 440. The local part (`+…`) takes no part in the
/// order.
struct PackageVersion: Comparable, Sendable {
  private let epoch: Int
  private let release: [Int]
  private let pre: (phase: Int, number: Int)?
  private let post: Int?
  private let dev: Int?

  /// Whether this is an alpha, beta, candidate or development version, which is only taken when
  /// asked for by name.
  var isPrerelease: Bool { pre != nil || dev != nil }

  /// Nil when the text is no version.
  init?(_ text: String) {
    var scanner = Scanner(text.lowercased())
    scanner.skip(["v"])
    guard var first = scanner.number() else { return nil }
    if scanner.skip(["!"]) {
      epoch = first
      guard let next = scanner.number() else { return nil }
      first = next
    } else {
      epoch = 0
    }
    var numbers = [first]
    while scanner.peekDigit(after: ".") {
      scanner.skip(["."])
      guard let next = scanner.number() else { return nil }
      numbers.append(next)
    }
    while numbers.count > 1, numbers.last == 0 { numbers.removeLast() }
    release = numbers

    var pre: (Int, Int)?
    var post: Int?
    var dev: Int?
    while !scanner.isAtEnd, !scanner.isAtLocal {
      let isDash = scanner.skip(["-"])
      if !isDash { scanner.skip([".", "_"]) }
      let word = scanner.word()
      if word.isEmpty {
        guard isDash, post == nil, let number = scanner.number() else { return nil }
        post = number
        continue
      }
      scanner.skip([".", "-", "_"])
      let number = scanner.number() ?? 0
      switch word {
      case "a", "alpha": pre = (0, number)
      case "b", "beta": pre = (1, number)
      case "c", "rc", "pre", "preview": pre = (2, number)
      case "post", "rev", "r": post = number
      case "dev": dev = number
      default: return nil
      }
    }
    guard scanner.isLocalValid else { return nil }
    (self.pre, self.post, self.dev) = (pre, post, dev)
  }

  /// The parts as numbers that compare from left to right; absent parts stand below or above all
  /// others as PEP 440 says.
  private var key: [Int] {
    let prePhase = pre?.phase ?? (post == nil && dev != nil ? -1 : 3)
    return [prePhase, pre?.number ?? 0, post ?? -1, dev ?? Int.max]
  }

  static func < (left: PackageVersion, right: PackageVersion) -> Bool {
    if left.epoch != right.epoch { return left.epoch < right.epoch }
    if left.release != right.release {
      return left.release.lexicographicallyPrecedes(right.release)
    }
    return left.key.lexicographicallyPrecedes(right.key)
  }

  static func == (left: PackageVersion, right: PackageVersion) -> Bool {
    left.epoch == right.epoch && left.release == right.release && left.key == right.key
  }
}

private struct Scanner {
  private let characters: [Character]
  private var position = 0

  init(_ text: String) { characters = Array(text) }

  var isAtEnd: Bool { position == characters.count }
  var isAtLocal: Bool { !isAtEnd && characters[position] == "+" }

  /// Whether nothing, or a well-formed local part, is left.
  var isLocalValid: Bool {
    if isAtEnd { return true }
    let local = characters[(position + 1)...]
    return isAtLocal && !local.isEmpty
      && local.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-_".contains($0)) }
  }

  @discardableResult
  mutating func skip(_ set: Set<Character>) -> Bool {
    guard !isAtEnd, set.contains(characters[position]) else { return false }
    position += 1
    return true
  }

  func peekDigit(after character: Character) -> Bool {
    position + 1 < characters.count && characters[position] == character
      && isDigit(characters[position + 1])
  }

  private func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

  mutating func number() -> Int? {
    let start = position
    while !isAtEnd, isDigit(characters[position]) { position += 1 }
    return Int(String(characters[start..<position]))
  }

  mutating func word() -> String {
    let start = position
    while !isAtEnd, ("a"..."z").contains(characters[position]) { position += 1 }
    return String(characters[start..<position])
  }
}
