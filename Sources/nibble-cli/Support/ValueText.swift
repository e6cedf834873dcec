import Foundation
import Nibble

/// A number with four digits, "-" where there is none.
func short(_ value: Double?) -> String {
  value.map { String(format: "%.4g", $0) } ?? "-"
}

/// A share as a percentage.
func percent(_ share: Double) -> String {
  share == 0 ? "0 %" : String(format: "%.3g %%", 100 * share)
}

/// A count in thousands, millions or billions.
func countText(_ count: Int) -> String {
  let value = Double(count)
  switch count {
  case ..<10_000: return "\(count)"
  case ..<1_000_000: return String(format: "%.1f k", value / 1e3)
  case ..<1_000_000_000: return String(format: "%.1f M", value / 1e6)
  default: return String(format: "%.2f B", value / 1e9)
  }
}

/// Dimensions, slowest first: "576×1536".
func shapeText(_ shape: [Int]) -> String {
  shape.isEmpty ? "scalar" : shape.map(String.init).joined(separator: "×")
}

/// One character for each count, its height in proportion; a space for none.
func sparkline(_ counts: [Int]) -> String {
  let blocks = Array("▁▂▃▄▅▆▇█")
  let top = Double(max(counts.max() ?? 1, 1))
  return String(
    counts.map { count -> Character in
      guard count > 0 else { return " " }
      return blocks[min(Int(Double(count) / top * Double(blocks.count)), blocks.count - 1)]
    })
}

/// A histogram as one bar a line; lengths are proportional to counts, and the outer two lines hold all that lies beyond.
func barText(_ intervals: ValueHistogram.Intervals) -> String {
  let total = Double(max(intervals.counts.reduce(0, +), 1))
  let top = Double(max(intervals.counts.max() ?? 1, 1))
  var table = Table(columns: [.right("weights from"), .right("share"), .left("")])
  for (index, count) in intervals.counts.enumerated() {
    let length = Int((40 * Double(count) / top).rounded(.up))
    let lower = short(intervals.lowerBound + Double(index) * intervals.width)
    table.rows.append([
      index == 0 ? "below" : lower,
      count == 0 ? "0" : String(format: "%.2g %%", 100 * Double(count) / total),
      String(repeating: "█", count: length),
    ])
  }
  return table.text
}
