internal import CNibbleKernels

/// A matrix packed for products through integers of 13 bits: each run of 128 elements along the summed dimension shares a
/// scale (block floating point).
///
/// On processors that multiply and add pairs of 16-bit integers in one instruction such products take two thirds of the time of
/// those of floats. Rounding makes up less than a thousandth of a product's norm.
final class PanelMatrix {
  /// Rows; the summed dimension is not among them.
  let rowCount: Int
  /// Elements of a row: the length of the sums.
  let count: Int
  private let codes: UnsafeMutablePointer<Int16>
  private let scales: UnsafeMutablePointer<Float>
  private let table: nk_panel_table

  /// What packs and multiplies, where this machine is faster with integers.
  static let fastTable: nk_panel_table? = nk_panels()?.pointee

  /// Rows of a panel.
  static let panelRowCount = Int(NK_PANEL_ROWS)

  /// Allocates; nothing is packed yet.
  init(rowCount: Int, count: Int, _ table: nk_panel_table) {
    self.rowCount = rowCount
    self.count = count
    self.table = table
    let panels = (rowCount + Self.panelRowCount - 1) / Self.panelRowCount
    codes = .allocate(capacity: panels * Self.codeCount(count))
    scales = .allocate(capacity: panels * Self.scaleCount(count))
  }

  deinit {
    codes.deallocate()
    scales.deallocate()
  }

  /// Panels of eight rows.
  var panelCount: Int { (rowCount + Self.panelRowCount - 1) / Self.panelRowCount }

  private static func codeCount(_ count: Int) -> Int { (count + 1) / 2 * 2 * panelRowCount }

  private static func scaleCount(_ count: Int) -> Int {
    let run = Int(NK_PANEL_RUN)
    return (count + run - 1) / run * panelRowCount
  }

  private func rows(ofPanel panel: Int) -> Int {
    min(Self.panelRowCount, rowCount - panel * Self.panelRowCount)
  }

  /// Packs a panel's rows, the first of which begins at `rows`; rows are `stride` floats apart.
  func pack(panel: Int, rows: UnsafePointer<Float>, stride: Int) {
    table.pack_rows(
      rows, stride, self.rows(ofPanel: panel), count, codes + panel * Self.codeCount(count),
      scales + panel * Self.scaleCount(count))
  }

  /// Packs neighbouring columns, the first of which begins at `columns`, as a panel's rows.
  func pack(panel: Int, columns: UnsafePointer<Float>, stride: Int) {
    table.pack_columns(
      columns, stride, rows(ofPanel: panel), count, codes + panel * Self.codeCount(count),
      scales + panel * Self.scaleCount(count))
  }

  /// Sets or adds the products of a panel's rows with those of a panel of `other`, at `result`, rows `stride` floats apart.
  func multiply(
    panel: Int, _ other: PanelMatrix, panel otherPanel: Int, isAdding: Bool,
    into result: UnsafeMutablePointer<Float>, stride: Int
  ) {
    table.multiply(
      codes + panel * Self.codeCount(count), scales + panel * Self.scaleCount(count),
      other.codes + otherPanel * Self.codeCount(count),
      other.scales + otherPanel * Self.scaleCount(count), count, rows(ofPanel: panel),
      other.rows(ofPanel: otherPanel), isAdding ? 1 : 0, result, stride)
  }
}
