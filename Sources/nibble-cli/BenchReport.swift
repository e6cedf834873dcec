import Nibble

/// A model that is timed, and what opening it took.
struct OpenedBenchModel {
  let path: String
  let model: LanguageModel
  let seconds: Double

  init(path: String, pool: WorkerPool) throws {
    self.path = path
    let start = ContinuousClock.now
    model = try LanguageModel(path: path, pool: pool)
    seconds = (ContinuousClock.now - start) / .seconds(1)
  }
}

/// What `nibble bench` found, as text and as JSON.
struct BenchReport {
  let options: SpeedBenchmark.Options
  let threadCount: Int
  let instructionSet: InstructionSet?
  let models: [OpenedBenchModel]
  /// One a model.
  let rates: [SpeedBenchmark.Rates]
  var roofs: MachineRoofs?
  var profiles: [ProfileReport] = []

  var text: String {
    var parts = [models.count > 1 ? comparison : single]
    for (index, model) in models.enumerated() where model.model.arrangedByteCount > 0 {
      let megabytes = fixed(Double(model.model.arrangedByteCount) / 1e6, 1)
      let name = models.count > 1 ? "model \(index + 1): " : ""
      parts.append(
        "\(name)\(megabytes) MB of weights arranged in memory, opened in \(fixed(model.seconds, 1)) s"
      )
    }
    if let roofs {
      let products = fixed(roofs.productsPerSecond / 1e9, 1)
      let bytes = fixed(roofs.bytesPerSecond / 1e9, 1)
      parts.append("\nroofs, measured: \(products) GMAC/s of bytes, \(bytes) GB/s read from memory")
    }
    for profile in profiles {
      parts.append(
        "\n\(profile.title), \(profile.tokenCount) tokens, \(fixed(profile.totalSeconds, 3)) s\n"
          + table(profile))
    }
    return parts.joined(separator: "\n")
  }

  /// What was run, with its number of tokens: each prompt, then generation.
  private var names: [(name: String, count: String)] {
    let depth = options.depth.map { " at \($0)" } ?? ""
    return options.promptCounts.map { ("prompt", "\($0)") }
      + [("generation\(depth)", "\(options.generateCount)")]
  }

  /// The series of one model in the order of ``names``.
  private func series(_ index: Int) -> [[Double]] {
    rates[index].prompts + [rates[index].generation]
  }

  private var single: String {
    var table = Table(columns: [
      .left("\(threadCount) threads"), .right("tokens"), .right("tokens/s"), .right("slowest"),
      .right("fastest"),
    ])
    for (name, values) in zip(names, series(0)) {
      let spread = Spread(values)
      table.rows.append([
        name.name, name.count, fixed(spread.median, 1), fixed(spread.smallest, 1),
        fixed(spread.largest, 1),
      ])
    }
    return table.text
  }

  private var comparison: String {
    var table = Table(columns: [
      .left("\(threadCount) threads"), .right("tokens"), .right("first tokens/s"),
      .right("second tokens/s"), .right("ratio"), .right("smallest"), .right("largest"),
    ])
    for (name, values) in zip(names, zip(series(0), series(1))) {
      let ratio = Spread(ratioOf: values.1, to: values.0)
      table.rows.append([
        name.name, name.count, fixed(Spread(values.0).median, 1),
        fixed(Spread(values.1).median, 1), fixed(ratio.median, 3), fixed(ratio.smallest, 3),
        fixed(ratio.largest, 3),
      ])
    }
    return table.text
  }

  private func table(_ profile: ProfileReport) -> String {
    var table = Table(columns: [
      .left("operation"), .left("weights"), .right("ms"), .right("time"), .right("GMAC/s"),
      .right("of roof"), .right("GB/s"), .right("of roof"),
    ])
    func number(_ value: Double?) -> String { value.map { fixed($0, 1) } ?? "" }
    func share(_ value: Double?) -> String { value.map { fixed(100 * $0, 1) + " %" } ?? "" }
    for line in profile.lines {
      table.rows.append([
        line.title, line.weights ?? "", fixed(1000 * line.seconds, 1), share(line.share),
        number(line.gigaproductsPerSecond), share(line.productShare),
        number(line.gigabytesPerSecond), share(line.byteShare),
      ])
    }
    return table.text
  }
}

extension BenchReport {
  /// One model: its keys, with those of what was asked for. Two: `models`, each with its own, and the ratios.
  var json: JSONValue {
    var object = JSONObject([
      "generate_tokens": .integer(Int64(options.generateCount)),
      "threads": .integer(Int64(threadCount)),
      "cache_type": .string(options.cacheType.rawValue),
    ])
    object["context"] = options.depth.map { .integer(Int64($0)) }
    object["instruction_set"] = instructionSet.map { .string($0.rawValue) }
    if models.count > 1 {
      object["models"] = .array(models.indices.map { .object(keys($0)) })
      object["prompt_ratios"] = .array(
        options.promptCounts.indices.map { place in
          ratio(rates[1].prompts[place], rates[0].prompts[place])
        })
      object["generate_ratio"] = ratio(rates[1].generation, rates[0].generation)
    } else {
      let own = keys(0)
      for key in own.keys { object[key] = own[key] }
    }
    if let roofs {
      var profile = JSONObject([
        "roofs": [
          "gmac_per_second": .number(roofs.productsPerSecond / 1e9),
          "gb_per_second": .number(roofs.bytesPerSecond / 1e9),
        ]
      ])
      for part in profiles { profile[part.title] = part.json }
      object["profile"] = .object(profile)
    }
    return .object(object)
  }

  /// The keys of one model; those without "rates" are the last prompt's.
  private func keys(_ index: Int) -> JSONObject {
    let rates = rates[index]
    let last = Spread(rates.prompts.last ?? [])
    let generation = Spread(rates.generation)
    let prompts = zip(options.promptCounts, rates.prompts).map { count, values -> JSONValue in
      let spread = Spread(values)
      return [
        "tokens": .integer(Int64(count)), "tokens_per_second": .number(spread.median),
        "tokens_per_second_range": range(spread),
      ]
    }
    return JSONObject([
      "model": .string(models[index].path),
      "prompt_tokens_per_second": .number(last.median),
      "prompt_tokens_per_second_range": range(last),
      "generate_tokens_per_second": .number(generation.median),
      "generate_tokens_per_second_range": range(generation),
      "prompt_tokens": .integer(Int64(options.promptCounts.last ?? 0)),
      "prompt_rates": .array(prompts),
      "load_seconds": .number(models[index].seconds),
      "arranged_bytes": .integer(Int64(models[index].model.arrangedByteCount)),
    ])
  }

  private func range(_ spread: Spread) -> JSONValue {
    [.number(spread.smallest), .number(spread.largest)]
  }

  private func ratio(_ values: [Double], _ others: [Double]) -> JSONValue {
    let spread = Spread(ratioOf: values, to: others)
    return ["median": .number(spread.median), "range": range(spread)]
  }
}
