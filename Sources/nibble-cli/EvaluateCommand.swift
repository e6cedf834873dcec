import ArgumentParser
import Foundation
import Nibble

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure perplexity, and how far a model is from a reference.",
    discussion: """
      The text is cut into windows of --context tokens without overlap; the second half of each \
      window is scored, as llama-perplexity does. With --reference, the KL divergence \
      D(reference || model) is the mean over the scored tokens, in nats; both models run side by \
      side, and no file of logits is written.

      Products with quantized weights round activations to 8 bits in blocks of 32, as they do when \
      text is generated. --float-products multiplies the schemes of folders in float instead, which \
      is slow and shows the weights' error alone; GGUF's types always round.

      Example:
        nibble evaluate model-q4_k_m.gguf --reference model/ --text wikitext.txt --chunks 16
      """)

  @Argument(help: "A Hugging Face folder or a .gguf file.")
  var model: String

  @Option(help: "The model to compare with, usually the one before quantization.")
  var reference: String?

  @Option(help: "A UTF-8 text file.")
  var text: String

  @Option(help: "Tokens of a window.")
  var context = 512

  @Option(help: "The most windows to take (default: all).")
  var chunks: Int?

  @Flag(help: "Multiply weights in schemes in float, without rounding activations.")
  var floatProducts = false

  @OptionGroup var cache: CacheOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard context >= 4 else { throw ValidationError("--context must be at least 4.") }
    guard chunks ?? 1 > 0 else { throw ValidationError("--chunks must be at least 1.") }
  }

  func run() throws {
    let text = try readText(text)
    let pool = threads.makePool()
    let products = floatProducts ? SchemeProducts.float : .integer
    let model = try LanguageModel(path: model, products: products, pool: pool)
    let reference = try reference.map {
      try LanguageModel(path: $0, products: products, pool: pool)
    }
    for note in model.source.notes + (reference?.source.notes ?? []) { output.note(note) }
    var options = Evaluator.Options()
    options.contextCount = context
    options.windowLimit = chunks
    options.cacheType = cache.cacheType
    let progress = output.progress()
    let evaluator = Evaluator(model: model, reference: reference, pool: pool)
    let result = try evaluator.evaluate(text, options: options) { done, total, _ in
      progress.report(
        JobProgress(
          phase: "evaluating", completed: done * context, total: total * context, unit: .tokens))
    }
    progress.finish()
    print(output.json ? result.json.text() : result.table)
  }
}

extension Evaluation {
  /// The keys that other programs read.
  var json: JSONValue {
    var object = JSONObject([
      "perplexity": .number(perplexity), "perplexity_error": .number(perplexityError),
      "tokens": .integer(Int64(tokenCount)), "seconds": .number(seconds),
    ])
    if let comparison {
      object["reference_perplexity"] = .number(comparison.referencePerplexity)
      object["kld"] = .number(comparison.divergence)
      object["kld_error"] = .number(comparison.divergenceError)
      object["kld_median"] = .number(comparison.medianDivergence)
      object["kld_99"] = .number(comparison.divergence99)
      object["kld_maximum"] = .number(comparison.largestDivergence)
      object["same_top"] = .number(comparison.sameTopShare)
    }
    return .object(object)
  }

  /// The result as a person reads it.
  var table: String {
    var rows = [
      ["perplexity", "\(fixed(perplexity, 4)) ± \(fixed(perplexityError, 4))"]
    ]
    if let comparison {
      rows += [
        ["reference perplexity", fixed(comparison.referencePerplexity, 4)],
        [
          "KL divergence (nats)",
          "\(fixed(comparison.divergence, 5)) ± \(fixed(comparison.divergenceError, 5))",
        ],
        ["  median", fixed(comparison.medianDivergence, 5)],
        ["  99th percentile", fixed(comparison.divergence99, 5)],
        ["  largest", fixed(comparison.largestDivergence, 5)],
        ["same top token", "\(fixed(100 * comparison.sameTopShare, 2)) %"],
      ]
    }
    rows += [
      ["tokens scored", "\(tokenCount)"], ["seconds", fixed(seconds, 1)],
    ]
    return Table(columns: [.left(""), .left("")], rows: rows).text
  }
}
