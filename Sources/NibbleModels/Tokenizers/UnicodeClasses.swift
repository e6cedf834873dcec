/// The classes of Unicode scalars that pre-tokenizers ask for, one byte a scalar, built once.
///
/// Pages of 256 scalars; equal neighbours are stored once, so the table takes about 100 kB. Planes 4 to 13, 15 and 16
/// hold no character of any of these classes. ASCII comes first.
package struct UnicodeClasses: Sendable {
  /// General category L*.
  package static let letter: UInt8 = 1
  /// General category N*.
  package static let number: UInt8 = 2
  /// White_Space.
  package static let space: UInt8 = 4
  /// What `\w` matches: alphabetic, marks, decimal digits, connector punctuation, joiners.
  package static let word: UInt8 = 8
  /// General category P*, and the ASCII symbols.
  package static let punctuation: UInt8 = 16

  /// What may stand in the upper-case part of a word: Lu, Lt, Lm, Lo, M*.
  package static let upper: UInt8 = 32
  /// What may stand in the lower-case part of a word: Ll, Lm, Lo, M*.
  package static let lower: UInt8 = 64

  package static let shared = UnicodeClasses()

  private let pageIndexes: [UInt16]
  private let classes: [UInt8]

  private init() {
    var pageIndexes = [UInt16](repeating: 0, count: 0x1100)
    var classes: [UInt8] = []
    var page = [UInt8](repeating: 0, count: 256)
    for number in 0..<0x1100 {
      Self.fill(&page, number)
      if number > 0, classes[(classes.count - 256)...].elementsEqual(page) {
        pageIndexes[number] = UInt16(classes.count / 256 - 1)
      } else {
        pageIndexes[number] = UInt16(classes.count / 256)
        classes += page
      }
    }
    self.pageIndexes = pageIndexes
    self.classes = classes
  }

  /// Fills in a page. Pages inside one block of ideographs or syllables, and empty ones, need no look-up per scalar:
  /// those blocks have gaps at their ends only.
  private static func fill(_ page: inout [UInt8], _ number: Int) {
    var uniform: UInt8?
    switch number {
    case 0x34..<0x4D, 0x4E..<0x9F, 0xAC..<0xD7, 0x170..<0x187, 0x200..<0x2A6, 0x2A7..<0x2B7,
      0x2B9..<0x2CE, 0x2CF..<0x2EB, 0x300..<0x313, 0x314..<0x323:
      uniform = letter | word | upper | lower
    case 0xD8..<0xF9, 0x400..<0xE00, 0xE02..<0x1100: uniform = 0
    default: break
    }
    for low in 0..<256 {
      let scalar = uniform == nil ? Unicode.Scalar(UInt32(number << 8 | low)) : nil
      page[low] = uniform ?? scalar.map(Self.classes(of:)) ?? 0
    }
  }

  private static func classes(of scalar: Unicode.Scalar) -> UInt8 {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .titlecaseLetter: letter | word | upper
    case .lowercaseLetter: letter | word | lower
    case .modifierLetter, .otherLetter: letter | word | upper | lower
    case .decimalNumber, .letterNumber: number | word
    case .otherNumber: number
    case .nonspacingMark, .spacingMark, .enclosingMark: word | upper | lower
    case .connectorPunctuation: punctuation | word
    case .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      punctuation
    case .spaceSeparator, .lineSeparator, .paragraphSeparator: space
    case .control: (9...13).contains(scalar.value) || scalar.value == 0x85 ? space : 0
    case .format: scalar.value == 0x200C || scalar.value == 0x200D ? word : 0
    case .otherSymbol: scalar.properties.isAlphabetic ? word : 0
    case .unassigned, .surrogate, .privateUse: 0
    default: scalar.isASCII ? punctuation : 0
    }
  }

  /// The classes of the scalar with this value.
  @inline(__always)
  package subscript(scalar: UInt32) -> UInt8 {
    classes[Int(pageIndexes[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)]
  }

  /// The classes of the scalar that starts at `index` of valid UTF-8, and the bytes that it takes.
  @inline(__always)
  func at(_ bytes: Span<UInt8>, _ index: Int) -> (classes: UInt8, count: Int) {
    let first = bytes[index]
    if first < 0x80 { return (classes[Int(first)], 1) }
    let (scalar, count) = bytes.scalar(at: index)
    return (self[scalar], count)
  }
}

extension Span<UInt8> {
  /// Decodes the scalar that starts at `index` of valid UTF-8.
  @inline(__always)
  func scalar(at index: Int) -> (value: UInt32, count: Int) {
    let first = UInt32(self[index])
    if first < 0x80 { return (first, 1) }
    let second = UInt32(self[index + 1] & 0x3F)
    if first < 0xE0 { return ((first & 0x1F) << 6 | second, 2) }
    let third = UInt32(self[index + 2] & 0x3F)
    if first < 0xF0 { return ((first & 0x0F) << 12 | second << 6 | third, 3) }
    return ((first & 0x07) << 18 | second << 12 | third << 6 | UInt32(self[index + 3] & 0x3F), 4)
  }

  /// Whether `pattern` stands at `index`, wholly before `end`.
  func contains(_ pattern: [UInt8], at index: Int, before end: Int) -> Bool {
    guard end - index >= pattern.count else { return false }
    for offset in pattern.indices where self[index + offset] != pattern[offset] { return false }
    return true
  }
}
