internal import CNibbleKernels
public import NibbleTensors

/// A weight matrix `[rowCount, columnCount]` that is multiplied and decoded, never expanded. It stays in its file's bytes, or
/// is arranged once, at about as many bits (``init(arranging:pool:)``).
///
/// A product with a block type or an arranged scheme quantizes the activations to 8 bits in blocks of 32; a product with a
/// plain type or another scheme is done in float. `nk_matmul.h` and `nk_strips.h` give the formulas. The same bits come out
/// on every machine, for any thread count, and whether activation rows are multiplied together or one at a time.
public struct PackedMatrix: Sendable {
  /// How the weights are stored.
  public enum Element: Hashable, Sendable {
    /// Plain floats: F32, F16 or BF16.
    case plain(DType)
    /// Blocks of a GGUF type.
    case blocks(GGMLType)
    /// The arrays of a scheme (``Scheme/parts(rowCount:columnCount:)``).
    case scheme(Scheme)

    /// Whether ``PackedMatrix`` multiplies this.
    public var isSupported: Bool {
      if case .scheme = self { true } else { weightType != nil }
    }

    var weightType: nk_weight_type? {
      let code: UInt32
      switch self {
      case .plain(.float32): code = GGMLType.f32.rawValue
      case .plain(.float16): code = GGMLType.f16.rawValue
      case .plain(.bfloat16): code = GGMLType.bf16.rawValue
      case .plain, .scheme: return nil
      case .blocks(let type): code = type.rawValue
      }
      let type = nk_weight_type(rawValue: code)
      return nk_weight_row_bytes(type, 256) > 0 ? type : nil
    }
  }

  public let element: Element
  /// Output features.
  public let rowCount: Int
  /// Input features.
  public let columnCount: Int
  let body: Body

  /// What the products read.
  enum Body: Sendable {
    /// Rows of `rowByteCount` bytes, one after another.
    case bytes(ByteView, nk_weight_type, rowByteCount: Int)
    case scheme(SchemeRows)
    case strips(Strips)
  }

  /// - Throws: ``PackedMatrixError`` when the element has no kernel, the rows are no whole blocks, or `bytes` has another
  ///   length than the shape needs.
  public init(
    element: Element, rowCount: Int, columnCount: Int, bytes: ByteView
  ) throws(PackedMatrixError) {
    guard let weightType = element.weightType else {
      throw PackedMatrixError("cannot multiply weights stored as \(element)")
    }
    guard rowCount >= 0, columnCount > 0 else {
      throw PackedMatrixError("a matrix of \(rowCount) x \(columnCount) cannot be multiplied")
    }
    let rowByteCount = nk_weight_row_bytes(weightType, columnCount)
    guard rowByteCount > 0 else {
      throw PackedMatrixError("rows of \(columnCount) weights are no whole blocks of \(element)")
    }
    let (needed, overflow) = rowByteCount.multipliedReportingOverflow(by: rowCount)
    guard !overflow, needed == bytes.count else {
      throw PackedMatrixError(
        "\(rowCount) x \(columnCount) weights as \(element) do not fit \(bytes.count) bytes")
    }
    self.element = element
    self.rowCount = rowCount
    self.columnCount = columnCount
    body = .bytes(bytes, weightType, rowByteCount: rowByteCount)
  }

  /// A matrix in the arrays of its scheme, whose products expand its rows to floats.
  ///
  /// - Throws: ``PackedMatrixError`` when it has no columns.
  public init(_ rows: SchemeRows) throws(PackedMatrixError) {
    try self.init(rows, body: .scheme(rows))
  }

  /// A matrix of a scheme, copied to the order in which integer kernels read it; as ``init(_:)`` makes it where there are
  /// none for the scheme or its shape.
  ///
  /// There are kernels for integers of 8 bits or fewer and for tables of 16 levels, with scales of rows, of the tensor, or of
  /// groups of a multiple of 32 columns, and rows of such a multiple. The copy takes 4 or 8 bits a weight, and for each
  /// group 4 bytes, or 8 with a zero point or a minimum; `rows` is not held.
  ///
  /// - Throws: ``PackedMatrixError`` when it has no columns.
  public init(arranging rows: SchemeRows, pool: WorkerPool) throws(PackedMatrixError) {
    try self.init(rows, body: Strips(rows, pool: pool).map { .strips($0) } ?? .scheme(rows))
  }

  private init(_ rows: SchemeRows, body: Body) throws(PackedMatrixError) {
    guard rows.columnCount > 0 else {
      throw PackedMatrixError("a matrix of \(rows.rowCount) x 0 cannot be multiplied")
    }
    element = .scheme(rows.scheme)
    rowCount = rows.rowCount
    columnCount = rows.columnCount
    self.body = body
  }

  /// Bytes of memory beside the file's: those of an arranged scheme.
  public var arrangedByteCount: Int {
    if case .strips(let strips) = body { strips.byteCount } else { 0 }
  }

  /// Bytes that a product reads of the weights: those in the file, or those arranged in memory.
  public var storedByteCount: Int {
    switch body {
    case .bytes(let bytes, _, _): return bytes.count
    case .strips(let strips): return strips.byteCount
    case .scheme(let rows):
      let parts = try? rows.scheme.parts(rowCount: rowCount, columnCount: columnCount)
      return parts?.reduce(0) { $0 + $1.byteCount } ?? 0
    }
  }

  /// Expands row `row` to `columnCount` floats, exactly as the format defines them.
  public func decodeRow(_ row: Int, into output: UnsafeMutableBufferPointer<Float>) {
    precondition(row >= 0 && row < rowCount && output.count >= columnCount)
    guard let target = output.baseAddress else { return }
    switch body {
    case .scheme(let rows): rows.decode(row..<row + 1, into: target)
    case .strips(let strips): strips.decode(row, into: target)
    case .bytes(let bytes, let weightType, let rowByteCount):
      bytes.withUnsafeBytes { bytes in
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
        let start = UnsafeRawPointer(base + row * rowByteCount)
        let isAligned = UInt(bitPattern: start) % 2 == 0
        switch element {
        case .plain(.bfloat16) where isAligned:
          BFloat16.decode(
            start.assumingMemoryBound(to: UInt16.self), count: columnCount, into: target)
        case .plain(.float16) where isAligned:
          Half.decode(start.assumingMemoryBound(to: UInt16.self), count: columnCount, into: target)
        default: nk_decode_weights(weightType, base + row * rowByteCount, columnCount, target)
        }
      }
    }
  }
}

/// Why bytes are no ``PackedMatrix``.
public struct PackedMatrixError: Error, CustomStringConvertible, Sendable {
  /// The reason in words.
  public let description: String

  init(_ description: String) { self.description = description }
}
