/// Text as a dictionary key that is equal only when its UTF-8 bytes are.
///
/// `String` compares by canonical equivalence, so that two vocabulary entries which differ in their
/// bytes alone (U+00C5 and U+212B) would be one key.
struct ExactKey: Hashable, Sendable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: ExactKey, right: ExactKey) -> Bool {
    var leftText = left.text
    var rightText = right.text
    return leftText.withUTF8 { leftBytes in
      rightText.withUTF8 { rightBytes in
        leftBytes.count == rightBytes.count && leftBytes.elementsEqual(rightBytes)
      }
    }
  }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}
