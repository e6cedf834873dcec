import ArgumentParser
import Nibble

/// How the next token is drawn, as the command line says it.
struct SamplingArguments: ParsableArguments {
  @Option(help: "0 takes the likeliest token; higher is more varied.")
  var temperature: Float = 0

  @Option(help: "Draw from this many of the likeliest tokens (0 = all).")
  var topK = SamplingOptions().topK

  @Option(help: "Draw from the likeliest tokens that together reach this probability.")
  var topP = SamplingOptions().topP

  @Option(help: "Drop tokens less likely than this share of the likeliest.")
  var minP = SamplingOptions().minP

  @Option(help: "Make recent tokens less likely (1 = no change).")
  var repetitionPenalty = SamplingOptions().repetitionPenalty

  @Option(help: "The same seed gives the same text.")
  var seed: UInt64 = 0

  func options() throws -> SamplingOptions {
    var options = SamplingOptions()
    options.temperature = temperature
    options.topK = topK
    options.topP = topP
    options.minP = minP
    options.repetitionPenalty = repetitionPenalty
    options.seed = seed
    do {
      return try options.validated()
    } catch {
      throw ValidationError(error.description)
    }
  }

  func validate() throws { _ = try options() }
}
