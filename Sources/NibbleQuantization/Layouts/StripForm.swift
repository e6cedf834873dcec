internal import CNibbleKernels

/// How integer kernels see the codes of a scheme (`nk_strips.h`): as whole numbers, less a zero point, times a unit.
struct StripForm: Sendable {
  let codes: nk_strip_codes
  let offset: nk_strip_offset
  /// Columns of a group, a multiple of ``blockLength``; the last group of a row may be shorter.
  let groupLength: Int
  /// What is taken off every number, beside a zero point of the group's own.
  let zero: Int32
  /// What the numbers' steps are worth, before the scale.
  private let unit: Float
  /// The values of the 16 levels and their numbers; empty for integers.
  private let values: [Float]
  private let numbers: [UInt16]

  /// Columns that share an activation scale.
  static let blockLength = 32

  /// The form of a scheme's matrices with rows of `columnCount`.
  ///
  /// - Returns: nil where there is none: rows or groups that are no whole number of ``blockLength`` columns, scales of columns,
  ///   learned levels, and levels that are too many for a table of 16 (E4M3).
  init?(_ scheme: Scheme, columnCount: Int) {
    guard columnCount > 0, columnCount % Self.blockLength == 0 else { return nil }
    switch scheme.granularity {
    case .tensor, .row: groupLength = columnCount
    case .group(let length) where length >= columnCount: groupLength = columnCount
    case .group(let length), .block(_, let length):
      guard length % Self.blockLength == 0 else { return nil }
      groupLength = length
    case .column: return nil
    }
    switch scheme.offset {
    case .none: offset = NK_STRIP_ONE_ZERO
    case .zeroPoint: offset = NK_STRIP_ZERO_POINTS
    case .minimum: offset = NK_STRIP_MINIMA
    }
    switch scheme.element {
    case .int(let bits), .uint(let bits):
      guard (1...8).contains(bits) else { return nil }
      codes = bits <= 4 ? NK_STRIP_4_BITS : NK_STRIP_8_BITS
      if case .int = scheme.element { zero = 1 << Int32(bits - 1) } else { zero = 0 }
      (unit, values, numbers) = (1, [], [])
    case .codebook(let book):
      guard scheme.offset == .none, let levels = Self.levels(of: book) else { return nil }
      codes = levels.codes
      zero = levels.zero
      unit = 1 / levels.stepsPerUnit
      values = book.levels
      numbers = book.levels.map {
        UInt16(($0 * levels.stepsPerUnit).rounded() + Float(levels.zero))
      }
    case .learned: return nil
    }
  }

  /// Steps that levels are counted in: exact but for NF4, whose levels are moved by 0.0002 at most.
  private static func levels(
    of book: Codebook
  ) -> (codes: nk_strip_codes, zero: Int32, stepsPerUnit: Float)? {
    switch book {
    case .e2m1: (NK_STRIP_5_BIT_LEVELS, 12, 2)
    case .iq4nl: (NK_STRIP_8_BIT_LEVELS, 127, 1)
    case .nf4: (NK_STRIP_12_BIT_LEVELS, 2047, 2047)
    case .fp4: (NK_STRIP_12_BIT_LEVELS, 192, 192)
    case .e4m3: nil
    }
  }

  /// Groups of a row.
  func groupCount(columnCount: Int) -> Int { (columnCount + groupLength - 1) / groupLength }

  /// A matrix of this form, without its bytes.
  func matrix(rowCount: Int, columnCount: Int) -> nk_strips {
    var matrix = nk_strips()
    matrix.codes = codes
    matrix.offset = offset
    matrix.row_count = rowCount
    matrix.columns = columnCount
    matrix.group_columns = groupLength
    matrix.zero = zero
    matrix.unit = unit
    if !values.isEmpty { nk_strip_set_levels(&matrix, values, numbers) }
    return matrix
  }
}
