import ArgumentParser
import Nibble

/// How a command shows its result and what it does meanwhile.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON object on standard output and nothing else there.")
  var json = false

  @Flag(name: .shortAndLong, help: "Show no progress, notes or tables.")
  var quiet = false

  /// A display of progress on standard error.
  func progress() -> ProgressBar { ProgressBar(isQuiet: quiet) }

  /// Tells the user something on standard error.
  func note(_ text: String) {
    if !quiet { printError("note: \(text)") }
  }
}
