/// The bounds that keep a chat template, which is a program from a stranger, from running away.
///
/// Real templates stay far below all of them: a few kilobytes of source, a nesting of ten, some
/// thousand steps.
package struct TemplateLimits: Sendable {
  /// The most bytes of template source.
  package var sourceBytes = 1 << 20
  /// How deep statements and parentheses may nest in the source.
  package var nesting = 64
  /// How deep an expression's tree may be; a chain such as `a + b + c` is as deep as it is long.
  package var expressionDepth = 160
  /// How deep running statements, expressions and macro calls may nest.
  package var evaluationDepth = 300
  /// How deep lists and dictionaries may hold each other.
  package var valueDepth = 220
  /// The most bytes of the result, and of any one string on the way.
  package var outputBytes = 16 << 20
  /// The most units of work: about one for each node run, two for each element made and one for each
  /// 64 bytes of text made. This bounds memory too: some 300 MB of elements, 640 MB of text.
  package var steps = 10_000_000

  package init() {}
}

/// The error for a fault of the template at `line` of its source. Texts of the template in `message`
/// become part of one line of bounded length.
func templateFault(_ message: String, line: Int) -> ModelError {
  var scalars = String.UnicodeScalarView()
  for scalar in message.unicodeScalars.prefix(500) {
    scalars.append(scalar == " " || PythonText.isPrintable(scalar) ? scalar : " ")
  }
  return ModelError(.template, "chat template, line \(line): \(String(scalars))")
}
