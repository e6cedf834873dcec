import ArgumentParser
import Nibble

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Store a model in fewer bits, and verify the file.",
    discussion: """
      MODEL is a Hugging Face folder, a .safetensors file or a .gguf file. The output appears under its name only when \
      it is whole, and is then reopened, decoded and compared with MODEL.

      TYPE is a mix of GGUF types, written as a GGUF file that llama.cpp loads:
        \(QuantizationMix.allCases.map(\.rawValue).joined(separator: " ")),
        q3_k, q4_k, q5_k for the medium mixes;
      or one scheme for all matrices but embeddings and output, written as safetensors that Nibble reads:
        int<2...8>-<tensor|row|column|g<n>>-<sym|asym|min>   int8-row-sym, int4-g128-asym; -min stores minima
        nf4-g64 fp4-g64 (-dq: double quantization) mxfp4 nvfp4 e2m1-g32 e4m3-row kmeans<1...8>-<row|g<n>|tensor>
        with -f32, -f16 or -bf16 for scales of another format than the usual one; -act at the end is --act-order group.

      RANGE is absmax, minmax, percentile=99.9 (any percentage), mse, kl or hqq.

      Examples:
        nibble quantize SmolLM2-135M -o smol.gguf --type q4_k_m
        nibble quantize base.gguf -o small.gguf --type q4_0 --output-type q8_0
        nibble quantize model -o out.gguf --type q4_k_m --override 'ffn_down=q6_k' --keep 'blk\\.0\\.'
        nibble quantize model -o folder --type int4-g64-asym --range mse --embedding-type int8-row-sym
        nibble quantize model -o folder --type nf4-g64-dq
        nibble quantize decoded-q4_0 -o out.gguf --type q4_0 --recover-grid
        nibble quantize model -o out.gguf --type q4_0 --calibration text.txt
        nibble quantize model -o out.gguf --type q4_k_m --transform awq --method gptq --calibration text.txt
        nibble quantize model -o folder --type int4-g128-asym --method awq --calibration text.txt

      With --calibration the codes are found while text runs through the model, so that each layer's outputs, not its \
      weights, stay near. TEXT is a UTF-8 file, JSON lines (.jsonl) of {"text": ...} or {"messages": [...]}, or a folder \
      of such files; or an importance matrix that nibble calibrate or llama.cpp wrote (.gguf, .dat).

      With --recover-grid a matrix is looked at first: where codes, scales and offsets of its type decode to the very \
      numbers that MODEL stores, in all of its groups, these are written and nothing is lost. The table says which \
      matrices were recovered, and of the others how many groups are exact.

      While text runs through the model, finished blocks are kept in the folder .OUTPUT.journal beside the output until \
      that is whole. A run that was interrupted or killed goes on after the last of them when the same command is given \
      again, and writes the same bytes.

      Exit codes: 0 done and verified, 1 the work failed, 2 bad usage, 3 the file is not what was meant.
      """)

  enum Method: String, ExpressibleByArgument, CaseIterable {
    case auto, rtn, hqq, imatrix, awq, gptq
  }

  @Argument(help: "The model to quantize.")
  var model: String

  @Option(name: .shortAndLong, help: "The file or folder to write.")
  var output: String

  @Option(help: ArgumentHelp("The mix of types, or the scheme.", valueName: "type"))
  var type: TypeSelection.Base

  @Option(
    help: ArgumentHelp(
      "How codes are found: rtn rounds to the nearest code, hqq also fits each group's zero point, imatrix weighs errors by the inputs that a text gives, gptq feeds errors back, awq is --transform awq, rtn, and --clip where it applies; auto is gptq with text, imatrix with an importance matrix, else rtn."
    )
  )
  var method: Method = .auto

  @OptionGroup var calibration: CalibrationArguments

  @Option(
    help: ArgumentHelp(
      "What is done to the model first: awq scales input channels so that rounding hurts the outputs less; can be repeated.",
      valueName: "transform"))
  var transform: [ModelTransform] = []

  @Flag(
    help:
      "With rtn and awq: cut each group's extremes as far as that helps the outputs; not for types with nested scales."
  )
  var clip = false

  @Option(
    help: ArgumentHelp(
      "What chooses the scale of each group; the default is absmax for symmetric schemes, minmax for others, and a search for mixes.",
      valueName: "range"))
  var range: RangeArgument?

  @Flag(help: "Find k-means levels by dynamic programming: the best there are, slowly.")
  var exactKmeans = false

  @Option(
    help:
      "The format of the output; by default gguf for mixes and Nibble's own safetensors for schemes."
  )
  var format: OutputFormat?

  @Flag(help: "Give every matrix the base type, with no exceptions.")
  var pure = false

  @Option(help: ArgumentHelp("The type of the output matrix.", valueName: "type"))
  var outputType: StoredType?

  @Option(help: ArgumentHelp("The type of the token embeddings.", valueName: "type"))
  var embeddingType: StoredType?

  @Option(
    help: ArgumentHelp(
      "The type of tensors whose name in GGUF files or Hugging Face folders matches; can be repeated.",
      valueName: "regex=type"))
  var override: [TypeSelection.Override] = []

  @Option(
    help: ArgumentHelp(
      "Leave tensors as they are whose name matches; can be repeated.", valueName: "regex"))
  var keep: [String] = []

  @Flag(
    help:
      "Find the codes again of weights that lie on their type's grid already, as after quantization-aware training or when another format was decoded; only the others are quantized."
  )
  var recoverGrid = false

  @Flag(help: "Allow quantizing what is quantized already.")
  var allowRequantize = false

  @Flag(help: "Replace the output even when it is something else.")
  var force = false

  @Option(
    help: ArgumentHelp(
      "Append what happens, layer by layer, to this file: a JSON object a line.", valueName: "file")
  )
  var log: String?

  @Flag(help: "Do not reopen and compare the output.")
  var noVerify = false

  @Flag(help: "Do not store in the output what it was made from, and how.")
  var noProvenance = false

  @OptionGroup var display: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard range == nil || method != .hqq && !isCalibrated else {
      throw ValidationError("this method chooses the range itself: leave --range out")
    }
    if calibration.calibration != nil, method == .rtn && !clip || method == .hqq, transforms.isEmpty
    {
      throw ValidationError("--method \(method.rawValue) takes no text: leave --calibration out")
    }
    if recoverGrid, !transforms.isEmpty {
      throw ValidationError(
        "--transform changes the weights, which then lie on no grid: leave --recover-grid out")
    }
    if clip, ![.auto, .rtn, .awq].contains(method) {
      throw ValidationError(
        "--method \(method.rawValue) searches scales of its own: leave --clip out")
    }
  }

  private var transforms: [ModelTransform] {
    method == .awq && !transform.contains(.awq) ? transform + [.awq] : transform
  }

  /// Whether codes are found while text runs through the model.
  private var isCalibrated: Bool {
    switch method {
    case .rtn, .hqq: clip
    case .imatrix, .gptq, .awq: true
    case .auto: clip || calibration.calibration != nil || !transforms.isEmpty
    }
  }

  func run() throws {
    var selection = TypeSelection(base: try orderedType())
    selection.isPure = pure
    selection.outputType = outputType
    selection.embeddingType = embeddingType
    selection.overrides = override
    selection.keepPatterns = keep
    var job = QuantizeJob(source: model, output: output, selection: selection)
    job.range = method == .hqq ? HalfQuadratic() : range?.estimator
    job.findsExactMeans = exactKmeans
    job.recoversGrids = recoverGrid
    job.transforms = transforms
    if isCalibrated || !transforms.isEmpty { job.calibration = try calibrationOptions() }
    job.format = format
    job.allowsRequantizing = allowRequantize
    job.replacesAnyFile = force
    job.isVerifying = !noVerify
    job.recordsProvenance = !noProvenance
    let farewell =
      job.calibration.map { $0.importance == nil } ?? false
      ? "stopped; the same command goes on after the last finished block" : nil
    let log = try log.map { try RunLog(path: $0) }
    try threads.run(display, farewell: farewell) { environment in
      var environment = environment
      environment.log = log
      return try job.run(environment)
    }.show(display)
  }

  /// The type, its groups in the order of importance where that was asked for.
  private func orderedType() throws -> TypeSelection.Base {
    guard calibration.actOrder == .group else { return type }
    guard case .scheme(var scheme) = type, scheme.hasColumnOrder || scheme.canHaveColumnOrder else {
      throw ValidationError(
        "--act-order group needs a scheme with groups of columns, such as int4-g128-sym")
    }
    scheme.hasColumnOrder = true
    return .scheme(scheme)
  }

  private func calibrationOptions() throws -> CalibratedQuantization {
    var options = try calibration.options()
    if options.importance != nil, method == .gptq {
      throw ValidationError("--method gptq needs a text, not an importance matrix")
    }
    switch method {
    case .rtn, .hqq, .awq: options.method = .rtn
    case .imatrix: options.method = .imatrix
    case .gptq: options.method = .gptq
    case .auto: options.method = clip ? .rtn : options.importance != nil ? .imatrix : .gptq
    }
    options.clipping = clip ? .everywhere : method == .awq ? .wherePossible : .none
    return options
  }
}
