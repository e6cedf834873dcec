public import NibbleQuantization
internal import NibbleTensors

/// Folders that mlx-lm writes and loads (Docs/Formats/mlx.md): a layer is quantized if it has scales, and config.json tells
/// bits, group length and mode.
public struct MLXFormat: FolderFormat {
  public static let name = "mlx"

  private let settings: MLXSettings?

  /// The format for writing.
  public init() { settings = nil }

  init(_ settings: MLXSettings) { self.settings = settings }

  public static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> MLXFormat? {
    guard let config = try file("config.json") else { return nil }
    if let own = config["quantization"], !own.isNull {
      // Other tools name a method; MLX never does.
      if own["quant_method"] != nil { return nil }
      return MLXFormat(try MLXSettings(own))
    }
    guard let copy = config["quantization_config"], copy["quant_method"] == nil,
      copy["group_size"]?.integer != nil, copy["bits"]?.integer != nil
    else { return nil }
    return MLXFormat(try MLXSettings(copy))
  }

  public var fileMetadata: [String: String] { ["format": "mlx"] }

  public func layout(for scheme: Scheme) -> any ArrayLayout { MLXLayout() }

  public func arrayName(_ part: String, of tensor: String) -> String {
    "\(Self.module(of: tensor) ?? tensor).\(part)"
  }

  /// The module whose weight `tensor` is.
  private static func module(of tensor: String) -> String? {
    tensor.hasSuffix(".weight") ? String(tensor.dropLast(".weight".count)) : nil
  }

  public func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    let byName = Dictionary(records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var matrices: [String: TensorRecord] = [:]
    var absorbed: Set<String> = []
    var contradicted: [String] = []
    for weight in records {
      guard let module = Self.module(of: weight.name) else { continue }
      guard let scales = byName["\(module).scales"] else {
        guard weight.type == .plain(.uint32) else { continue }
        throw CheckpointError(
          .missing, "holds packed words, and its array scales is missing", tensor: weight.name)
      }
      if case .some(nil) = settings?.modules[module] { contradicted.append(module) }
      let layer = (settings?.modules[module] ?? nil) ?? settings?.usual ?? MLXSettings.Layer()
      let biases = byName["\(module).biases"]
      matrices[weight.name] = try MLXArrays(
        weight: weight, scales: scales, biases: biases, layer: layer
      ).record()
      absorbed.insert(scales.name)
      if let biases { absorbed.insert(biases.name) }
    }
    let tensors = records.compactMap { record in
      absorbed.contains(record.name) ? nil : matrices[record.name] ?? record
    }
    return (tensors, Self.note(contradicted))
  }

  private static func note(_ modules: [String]) -> [String] {
    guard let first = modules.first else { return [] }
    let others = modules.count == 1 ? "" : " (and \(modules.count - 1) more like it)"
    return [
      "config.json says that \(printable(first)) is not quantized, but it has scales\(others)"
    ]
  }

  public func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject] {
    var layers: [(module: String, layer: MLXSettings.Layer)] = []
    for plan in plans {
      guard case .scheme(let scheme) = plan.type else { continue }
      guard let layer = MLXSettings.Layer(scheme) else {
        throw CheckpointError(
          .unsupported, "MLX has no layers of \(scheme)", tensor: plan.name)
      }
      guard let module = Self.module(of: plan.name) else {
        throw CheckpointError(
          .unsupported, "MLX quantizes the weights of modules, called *.weight", tensor: plan.name)
      }
      layers.append((module, layer))
    }
    var config = config
    config["quantization"] = nil
    config["quantization_config"] = nil
    guard let usual = Self.mostFrequent(layers.map(\.layer)) else { return ["config.json": config] }
    var quantization = usual.entry
    for (module, layer) in layers where layer != usual {
      quantization[module] = .object(layer.entry)
    }
    config["quantization"] = .object(quantization)
    config["quantization_config"] = .object(quantization)
    return ["config.json": config]
  }

  /// The value that stands in the list most often, the first of several.
  private static func mostFrequent(_ layers: [MLXSettings.Layer]) -> MLXSettings.Layer? {
    var counts: [MLXSettings.Layer: Int] = [:]
    for layer in layers { counts[layer, default: 0] += 1 }
    let largest = counts.values.max()
    return layers.first { counts[$0] == largest }
  }
}

extension MLXSettings.Layer {
  /// How a layer of `scheme` is announced; nil where MLX has no such layers.
  fileprivate init?(_ scheme: Scheme) {
    guard MLXLayout().canRepresent(scheme), case .group(let length) = scheme.granularity else {
      return nil
    }
    self.init(
      mode: scheme == MLXLayout.microscaling ? .mxfp4 : .affine,
      bitCount: scheme.element.bitCount, groupLength: length)
  }
}
