internal import CNibbleKernels
internal import NibbleTensors

/// A quantized matrix in memory, in the order in which integer kernels read it (`nk_strips.h`).
struct Strips: Sendable {
  let rowCount: Int
  let columnCount: Int
  /// The column of the weights at each place of a row's codes, to which activations are brought; nil where columns are
  /// in their own order.
  let columnOrder: [Int32]?
  private let form: StripForm
  private let storage: Storage

  /// The kernels of this machine.
  static let kernels: nk_strip_table = nk_strip_products().pointee

  /// How products take the activations.
  var activationForm: ActivationForm {
    return Self.kernels.takes_words(form.codes) != 0 ? .words : .codes
  }

  /// Arranges the rows of a matrix on all threads of `pool`.
  ///
  /// - Returns: nil where there are no integer kernels for the scheme or its shape.
  init?(_ rows: SchemeRows, pool: WorkerPool) {
    let (rowCount, columnCount) = (rows.rowCount, rows.columnCount)
    guard let form = StripForm(rows.scheme, columnCount: columnCount) else { return nil }
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.form = form
    columnOrder = rows.columnOrder
    var shape = form.matrix(rowCount: rowCount, columnCount: columnCount)
    let stripByteCount = nk_strip_bytes(&shape)
    let stripRowCount = Int(nk_strip_rows)
    let stripCount = (rowCount + stripRowCount - 1) / stripRowCount
    storage = Storage(uninitializedByteCount: stripCount * stripByteCount) { memory in
      guard let base = memory.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
      pool.rows(stripCount) { part in
        let buffers = StripBuffers(columnCount: columnCount, form: form)
        for strip in part {
          let first = strip * stripRowCount
          buffers.pack(
            rows, first..<min(first + stripRowCount, rowCount), form,
            into: base + strip * stripByteCount)
        }
      }
    }
  }

  /// The bytes that the matrix takes in memory.
  var byteCount: Int { storage.byteCount }

  /// Expands a row, exactly as the scheme defines its values.
  func decode(_ row: Int, into target: UnsafeMutablePointer<Float>) {
    withKernelMatrix { matrix in
      guard let columnOrder else {
        nk_strip_decode(&matrix, row, target)
        return
      }
      let ordered = UnsafeMutablePointer<Float>.allocate(capacity: columnCount)
      defer { ordered.deallocate() }
      nk_strip_decode(&matrix, row, ordered)
      for (place, column) in columnOrder.enumerated() { target[Int(column)] = ordered[place] }
    }
  }

  /// Computes the products with some rows.
  ///
  /// - Parameters:
  ///   - rows: rows of the matrix.
  ///   - activations: quantized, in the order ``columnOrder``.
  ///   - count: activation rows.
  ///   - y: the place of the first row's first product.
  ///   - yStride: floats from one activation row's products to the next's.
  ///   - scratch: nk_matmul_scratch_bytes, used by one thread at a time.
  func multiply(
    _ rows: Range<Int>, _ activations: nk_activations, count: Int,
    into y: UnsafeMutablePointer<Float>, yStride: Int, scratch: UnsafeMutableRawPointer
  ) {
    var activations = activations
    withKernelMatrix { matrix in
      Self.kernels.multiply(
        &matrix, rows.lowerBound, rows.count, &activations, count, y, yStride, scratch)
    }
  }

  private func withKernelMatrix(_ use: (inout nk_strips) -> Void) {
    storage.view.withUnsafeBytes { bytes in
      var matrix = form.matrix(rowCount: rowCount, columnCount: columnCount)
      matrix.bytes = bytes.bindMemory(to: UInt8.self).baseAddress
      use(&matrix)
    }
  }
}

/// What one thread reads of the rows of a strip before it packs them.
private final class StripBuffers {
  private let columnCount: Int
  private let groupCount: Int
  private let codes: UnsafeMutablePointer<UInt8>
  private let scales: UnsafeMutablePointer<Float>
  private let minima: UnsafeMutablePointer<Float>
  private let zeros: UnsafeMutablePointer<Int32>

  init(columnCount: Int, form: StripForm) {
    self.columnCount = columnCount
    groupCount = form.groupCount(columnCount: columnCount)
    let rowCount = Int(nk_strip_rows)
    codes = .allocate(capacity: rowCount * columnCount)
    scales = .allocate(capacity: rowCount * groupCount)
    minima = .allocate(capacity: rowCount * groupCount)
    zeros = .allocate(capacity: rowCount * groupCount)
  }

  deinit {
    codes.deallocate()
    scales.deallocate()
    minima.deallocate()
    zeros.deallocate()
  }

  /// Arranges `part`, at most one strip's rows.
  func pack(
    _ rows: SchemeRows, _ part: Range<Int>, _ form: StripForm,
    into strip: UnsafeMutablePointer<UInt8>
  ) {
    for (index, row) in part.enumerated() {
      let zeros = zeros + index * groupCount
      rows.read(
        row, codes: codes + index * columnCount, scales: scales + index * groupCount,
        minima: minima + index * groupCount, zeroPoints: zeros)
      if form.offset == NK_STRIP_ZERO_POINTS {
        for group in 0..<groupCount { zeros[group] += form.zero }
      }
    }
    var shape = form.matrix(rowCount: rows.rowCount, columnCount: columnCount)
    nk_strip_pack(&shape, part.count, codes, scales, zeros, minima, strip)
  }
}
