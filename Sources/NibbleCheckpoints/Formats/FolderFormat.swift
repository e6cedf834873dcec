public import NibbleQuantization

/// How a family of tools arranges the quantized weights of a Hugging Face folder, and tells so in its configuration.
///
/// A format is made from a folder's files when that is read, and from a request when a folder is written. It knows nothing of
/// architectures.
public protocol FolderFormat: Sendable {
  /// What people call it: "gptq", "awq".
  static var name: String { get }

  /// The format of a folder, by what its configuration announces.
  ///
  /// - Parameter file: a JSON file of the folder by name ("config.json", "quantize_config.json"), nil where there is none.
  /// - Returns: nil when the configuration announces none or another one.
  /// - Throws: ``CheckpointError`` for settings that are broken or not supported, naming key and value.
  static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> Self?

  /// Puts the arrays of each quantized matrix together: the record gets the name that the matrix has in a plain checkpoint
  /// ("model.layers.0.mlp.up_proj.weight"), shape `[rows, columns]`, type `.scheme`, the arrays as parts, and the layout that
  /// reads them. Other records stay as they are, in their order.
  ///
  /// - Returns: the records, and oddities that the user should hear of, a line each, such as a flag that the data contradicts.
  /// - Throws: ``CheckpointError`` that names the tensor whose arrays are missing or do not fit.
  func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String])

  /// The layout in which a matrix is written.
  func layout(for scheme: Scheme) -> any ArrayLayout

  /// Why a folder of this format does not store matrices of `scheme` and this shape, though its layout may; nil when it does.
  func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String?

  /// The name of an array of the matrix `tensor`: "model.layers.0.mlp.up_proj.qweight".
  func arrayName(_ part: String, of tensor: String) -> String

  /// What `__metadata__` of the output's files says.
  var fileMetadata: [String: String] { get }

  /// The files of the output that tell how its weights are quantized.
  ///
  /// - Parameters:
  ///   - plans: all tensors that are written; those of type `.scheme` are quantized.
  ///   - config: the model's `config.json`.
  /// - Returns: JSON files by name; `config.json` with its `quantization_config`, and others that the format has.
  /// - Throws: ``CheckpointError`` for plans that one configuration of this format cannot describe.
  func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject]
}

extension FolderFormat {
  public var fileMetadata: [String: String] { ["format": "pt"] }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    layout(for: scheme).obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount)
  }
}
