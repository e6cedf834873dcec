/// Bytes that do not change while anyone holds them: owned memory or a mapped file.
///
/// Everything that Nibble reads from a file is a ``ByteView`` of some storage, so that a mapped checkpoint is
/// never copied as a whole.
public final class Storage: @unchecked Sendable {
  // Invariant behind @unchecked: `base` is never written after `init` returns, and `release` runs
  // once, in `deinit`.
  @usableFromInline let base: UnsafeRawPointer
  /// The number of bytes.
  public let byteCount: Int
  /// Whether the bytes are a mapped file's.
  public let isMapped: Bool
  private let release: @Sendable (UnsafeRawPointer, Int) -> Void

  init(
    base: UnsafeRawPointer, byteCount: Int, isMapped: Bool,
    release: @escaping @Sendable (UnsafeRawPointer, Int) -> Void
  ) {
    self.base = base
    self.byteCount = byteCount
    self.isMapped = isMapped
    self.release = release
  }

  /// Allocates zeroed memory aligned to 64 bytes and lets `initialize` fill it.
  public convenience init(
    byteCount: Int, initialize: (UnsafeMutableRawBufferPointer) -> Void = { _ in }
  ) {
    self.init(uninitializedByteCount: byteCount) { memory in
      memory.initializeMemory(as: UInt8.self, repeating: 0)
      initialize(memory)
    }
  }

  /// Allocates memory aligned to 64 bytes, of which `initialize` writes every byte.
  package convenience init(
    uninitializedByteCount byteCount: Int, initialize: (UnsafeMutableRawBufferPointer) -> Void
  ) {
    precondition(byteCount >= 0)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
    initialize(UnsafeMutableRawBufferPointer(start: memory, count: byteCount))
    self.init(base: memory, byteCount: byteCount, isMapped: false) { pointer, _ in
      UnsafeMutableRawPointer(mutating: pointer).deallocate()
    }
  }

  /// Copies `bytes` into owned memory.
  public convenience init(copying bytes: some Collection<UInt8>) {
    self.init(uninitializedByteCount: bytes.count) { $0.copyBytes(from: bytes) }
  }

  deinit { release(base, byteCount) }

  /// All bytes.
  public var view: ByteView { ByteView(storage: self, offset: 0, count: byteCount) }
}

/// A range of a ``Storage``; keeps it alive.
public struct ByteView: Sendable {
  /// The bytes' owner.
  public let storage: Storage
  /// Where the view begins, in bytes from the storage's start.
  public let offset: Int
  /// The number of bytes in the view.
  public let count: Int

  /// - Precondition: the range lies within `storage`.
  public init(storage: Storage, offset: Int, count: Int) {
    precondition(offset >= 0 && count >= 0 && offset <= storage.byteCount - count)
    self.storage = storage
    self.offset = offset
    self.count = count
  }

  /// The bytes `range` of this view.
  public subscript(range: Range<Int>) -> ByteView {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return ByteView(storage: storage, offset: offset + range.lowerBound, count: range.count)
  }

  /// Calls `body` with the bytes; the pointer is valid during the call only.
  @inlinable
  public func withUnsafeBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try body(unsafeBytes)
  }

  /// The bytes, valid while `storage` is held.
  @usableFromInline
  var unsafeBytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: storage.base + offset, count: count)
  }

  /// A copy of the bytes.
  public func copy() -> [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
