internal import NibbleCheckpoints
internal import NibbleTensors

/// The formats that a model is written in.
public enum OutputFormat: String, CaseIterable, Sendable {
  /// One GGUF file.
  case gguf
  /// A Hugging Face folder or one safetensors file. What is converted to it becomes plain numbers; what is quantized to it
  /// is stored as with ``nibble``.
  case safetensors
  /// A Hugging Face folder or one safetensors file with quantized matrices in Nibble's own arrays, whatever their scheme.
  case nibble
  /// Folders as the tools of these names write them.
  case gptq
  /// GPTQ's second version, which stores zero points as they are.
  case gptqV2 = "gptq_v2"
  case awq, bitsandbytes
  case compressedTensors = "compressed-tensors"
  case mlx

  /// Refuses a single file for formats whose configuration tells what the arrays mean.
  func requireOutput(_ path: String) throws(RecipeError) {
    guard path.hasSuffix(".safetensors"), folderFormat(originalType: .float32) != nil else {
      return
    }
    throw RecipeError(
      "\(rawValue) is a folder, whose configuration tells what its arrays mean; \(path) would be a file without one"
    )
  }

  /// How quantized matrices are arranged in a folder; nil for GGUF and Nibble's own.
  ///
  /// - Parameter originalType: the type of the model's weights, where the format tells it.
  /// - Returns: the format.
  func folderFormat(originalType: DType) -> (any FolderFormat)? {
    switch self {
    case .gguf, .safetensors, .nibble: nil
    case .gptq: GPTQFormat(version: .v1)
    case .gptqV2: GPTQFormat(version: .v2)
    case .awq: AWQFormat()
    case .bitsandbytes: BitsAndBytesFormat(originalType: originalType)
    case .compressedTensors: CompressedTensorsFormat()
    case .mlx: MLXFormat()
    }
  }
}
