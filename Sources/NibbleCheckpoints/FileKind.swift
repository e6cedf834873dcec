internal import NibbleTensors

/// What a file seems to be, from its first bytes; its name counts only where they are silent.
enum FileKind {
  case safetensors, gguf, pickle, largeFilePointer, unknown

  init(_ view: ByteView, name: String) {
    let head = view[0..<min(view.count, 4096)].copy()
    // First, because a header of 640 bytes begins like a pickle.
    if Self.isSafetensors(head) {
      self = .safetensors
    } else if head.starts(with: Array("GGUF".utf8)) {
      self = .gguf
    } else if Self.isPickle(head) || Self.hasPickleName(name) {
      self = .pickle
    } else if head.starts(with: Array("version https://git-lfs".utf8)) {
      self = .largeFilePointer
    } else if name.hasSuffix(".safetensors") {
      self = .safetensors
    } else if name.hasSuffix(".gguf") {
      self = .gguf
    } else {
      self = .unknown
    }
  }

  /// Whether the name is one that PyTorch's pickles have.
  static func hasPickleName(_ name: String) -> Bool {
    [".bin", ".pt", ".pth", ".ckpt", ".bin.index.json"].contains { name.hasSuffix($0) }
  }

  /// A header length below 2³² and then `{`, perhaps after white space.
  private static func isSafetensors(_ head: [UInt8]) -> Bool {
    guard head.count > 8, head[4..<8].allSatisfy({ $0 == 0 }) else { return false }
    return head[8...].first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
  }

  /// A pickle of protocol 2 to 5, or a ZIP archive.
  private static func isPickle(_ head: [UInt8]) -> Bool {
    head.starts(with: [0x50, 0x4B, 0x03, 0x04])
      || head.count > 2 && head[0] == 0x80 && (2...5).contains(head[1])
  }
}
