import Nibble
import Testing

@Suite("Recipes")
struct RecipeTests {
  private func roundTrip(_ recipe: Recipe) throws -> Recipe {
    try Recipe(json: JSONValue.parse(recipe.json.text()))
  }

  private func scheme(_ name: String) throws -> Scheme { try #require(Scheme(name: name)) }

  @Test("A job becomes a recipe, its JSON, the recipe and the job again")
  func quantize() throws {
    var selection = TypeSelection(scheme: try scheme("int4-g64-asym"))
    selection.isPure = true
    selection.outputType = StoredType(.q6_k)
    selection.embeddingType = .scheme(try scheme("q4_k"))
    selection.overrides = [
      .init(pattern: "a\"b\\.c", type: StoredType(.q4_k)),
      .init(pattern: "d", type: .scheme(try scheme("nf4-g64-dq"))),
      .init(pattern: "e", type: StoredType(.bf16)),
    ]
    selection.keepPatterns = ["blk\\.0\\.", "ü"]
    var job = QuantizeJob(source: "in", output: "out", selection: selection)
    job.format = .nibble
    job.range = Percentile(99.5)
    job.findsExactMeans = true
    job.transforms = [.awq]
    job.allowsRequantizing = true
    job.recoversGrids = true
    var calibration = CalibratedQuantization()
    calibration.method = .rtn
    calibration.effort = .best
    calibration.order = .natural
    calibration.clipping = .everywhere
    calibration.windows.limit = 3
    calibration.windows.tokenCount = 99
    calibration.windows.seed = .max
    job.calibration = calibration
    let recipe = try roundTrip(.quantize(job.recipe))
    #expect(recipe == .quantize(job.recipe))
    guard case .quantize(let found) = recipe else { return }
    let again = QuantizeJob(found, source: "in", output: "out")
    #expect(again.recipe == job.recipe)
    #expect(again.range?.name == "percentile=99.5")
    #expect(again.calibration?.windows.seed == .max)
    #expect(again.calibration?.clipping == .everywhere)
  }

  @Test("Usual values need no words", arguments: QuantizationMix.allCases)
  func mixes(_ mix: QuantizationMix) throws {
    let job = QuantizeJob(source: "in", output: "out", selection: TypeSelection(mix: mix))
    let json = Recipe.quantize(job.recipe).json
    #expect(
      json.text()
        == "{\"command\":\"quantize\",\"format\":\"gguf\",\"mix\":\"\(mix.rawValue)\"}")
    #expect(try Recipe(json: json) == .quantize(job.recipe))
  }

  @Test("Conversions", arguments: OutputFormat.allCases)
  func convert(_ format: OutputFormat) throws {
    for type in [nil, GGMLType.f32, .f16, .bf16] {
      var job = ConvertJob(source: "in", output: "out", format: format)
      job.floatType = type
      job.allowsRequantizing = type == .f16
      job.maximumShardByteCount = 1000
      if type == nil {
        job.recoversGrids = true
        job.grids = [try scheme("int4-g32-sym"), try scheme("q6_k")]
      }
      let recipe = try roundTrip(.convert(job.recipe))
      #expect(recipe == .convert(job.recipe))
      #expect(recipe.format == format)
      guard case .convert(let found) = recipe else { continue }
      #expect(ConvertJob(found, source: "in", output: "out").recipe == job.recipe)
    }
  }

  /// The recipe must hear of each new option that decides bytes; those that do not are listed here too.
  @Test("No option of a job is forgotten")
  func options() {
    func names(_ value: Any) -> Set<String> {
      Set(Mirror(reflecting: value).children.compactMap(\.label))
    }
    let selection = TypeSelection(mix: .q4_0)
    #expect(
      names(QuantizeJob(source: "", output: "", selection: selection))
        == [
          "source", "output", "selection", "range", "findsExactMeans", "calibration", "transforms",
          "format", "allowsRequantizing", "recoversGrids",
          // No byte depends on these.
          "replacesAnyFile", "isVerifying", "recordsProvenance", "statedProvenance",
        ])
    #expect(
      names(ConvertJob(source: "", output: "", format: .gguf))
        == [
          "source", "output", "format", "floatType", "allowsRequantizing", "maximumShardByteCount",
          "recoversGrids", "grids",
          // Never asked for by users.
          "scaling",
          "replacesOutput", "isVerifying", "recordsProvenance", "statedProvenance",
        ])
    #expect(
      names(selection)
        == ["base", "isPure", "outputType", "embeddingType", "overrides", "keepPatterns"])
    #expect(
      names(CalibratedQuantization())
        == [
          "text", "path", "importance", "windows", "method", "effort", "order", "clipping",
          "memoryLimit", "isResuming",
        ])
    #expect(names(CalibrationWindows()) == ["limit", "tokenCount", "seed"])
  }

  @Test(
    "What is missing, of another kind or not known is named",
    arguments: [
      ("null", "the recipe"), ("[]", "the recipe"), ("{}", "command"),
      (#"{"command":"fry"}"#, "fry"), (#"{"command":1}"#, "command"),
      (#"{"command":"quantize","format":"gguf"}"#, "mix"),
      (#"{"command":"quantize","format":"gguf","mix":"q9"}"#, "q9"),
      (#"{"command":"quantize","mix":"q4_0"}"#, "format"),
      (#"{"command":"quantize","format":"zip","mix":"q4_0"}"#, "zip"),
      (#"{"command":"quantize","format":"gguf","scheme":"int99"}"#, "int99"),
      (#"{"command":"quantize","format":"gguf","mix":"q4_0","pure":1}"#, "pure"),
      (#"{"command":"quantize","format":"gguf","mix":"q4_0","keep":"x"}"#, "keep"),
      (#"{"command":"quantize","format":"gguf","mix":"q4_0","keep":[1]}"#, "keep"),
      (#"{"command":"quantize","format":"gguf","mix":"q4_0","range":"wide"}"#, "wide"),
      (#"{"command":"quantize","format":"gguf","mix":"q4_0","output_type":"Q0"}"#, "Q0"),
      (
        #"{"command":"quantize","format":"gguf","mix":"q4_0","overrides":[{"type":"Q4_0"}]}"#,
        "pattern"
      ),
      (
        #"{"command":"quantize","format":"gguf","mix":"q4_0","overrides":[{"pattern":"a"}]}"#,
        "type"
      ),
      (#"{"command":"quantize","format":"gguf","mix":"q4_0","transforms":["melt"]}"#, "melt"),
      (#"{"command":"quantize","format":"gguf","mix":"q4_0","calibration":[]}"#, "calibration"),
      (#"{"command":"quantize","format":"gguf","mix":"q4_0","calibration":{}}"#, "method"),
      (#"{"command":"convert","format":"gguf"}"#, "shard_bytes"),
      (#"{"command":"convert","format":"gguf","shard_bytes":-1}"#, "shard_bytes"),
      (#"{"command":"convert","format":"gguf","shard_bytes":1e99}"#, "shard_bytes"),
      (#"{"command":"convert","format":"gguf","shard_bytes":1,"type":"Q4_0"}"#, "Q4_0"),
    ])
  func hostile(_ text: String, _ word: String) throws {
    let error = try #require(throws: CheckpointError.self) {
      try Recipe(json: JSONValue.parse(text))
    }
    #expect(error.message.contains(word), "\(error)")
  }
}
