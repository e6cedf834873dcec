import ArgumentParser
import Nibble

/// How far a command guesses ahead while it generates.
struct SpeculationOptions: ParsableArguments {
  @Option(
    help: """
      Guess up to this many tokens ahead from repetitions in the text, and verify them in one pass \
      (0 = none). The text does not change; 8 suits code and quotations.
      """)
  var speculate = 0

  func validate() throws {
    guard (0...64).contains(speculate) else {
      throw ValidationError("--speculate \(speculate): must be between 0 and 64.")
    }
  }

  /// Tells on standard error what guessing did, where it was asked for.
  func note(_ counts: SpeculationCounts, _ output: OutputOptions) {
    guard speculate > 0 else { return }
    output.note(
      "\(counts.passCount) passes after the prompt; \(counts.acceptedCount) of "
        + "\(counts.guessedCount) guessed tokens were right")
  }

  /// What guessing did, as a member of a command's result; nil where it was not asked for.
  func json(_ counts: SpeculationCounts) -> JSONValue? {
    guard speculate > 0 else { return nil }
    return [
      "passes": .integer(Int64(counts.passCount)),
      "guessed": .integer(Int64(counts.guessedCount)),
      "accepted": .integer(Int64(counts.acceptedCount)),
    ]
  }
}
