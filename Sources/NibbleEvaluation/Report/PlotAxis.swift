internal import Foundation

/// Maps values to places along an axis, and chooses the ticks.
struct PlotAxis: Sendable {
  enum Scale: Sendable { case linear, logarithmic }

  /// What the axis shows, with its unit.
  var title: String
  var scale: Scale
  private(set) var lowerBound: Double
  private(set) var upperBound: Double

  /// An axis from the least to the greatest of the finite `values`, widened to `including`.
  ///
  /// On a logarithmic axis only positive values count.
  init(_ title: String, scale: Scale = .linear, _ values: [Double], including: [Double] = []) {
    self.title = title
    self.scale = scale
    let usable = (values + including).filter {
      $0.isFinite && (scale == .linear || $0 > 0)
    }
    var least = usable.min() ?? (scale == .linear ? 0 : 1)
    var most = usable.max() ?? (scale == .linear ? 1 : 10)
    if !(most > least) {
      let room = scale == .linear ? max(abs(least) * 0.1, 1e-6) : 0
      (least, most) = scale == .linear ? (least - room, most + room) : (least / 2, most * 2)
    }
    (lowerBound, upperBound) = (least, most)
  }

  /// The same axis with its ends at round values; a logarithmic one leaves room above its greatest value.
  func rounded() -> PlotAxis {
    var axis = self
    let step = tickStep
    switch scale {
    case .linear:
      axis.lowerBound = (lowerBound / step).rounded(.down) * step
      axis.upperBound = (upperBound / step).rounded(.up) * step
    case .logarithmic:
      axis.lowerBound = pow(10, log10(lowerBound).rounded(.down))
      axis.upperBound = pow(10, log10(upperBound * 1.5).rounded(.up))
    }
    return axis
  }

  /// The place of `value`: 0 at the lower end, 1 at the upper one; values beyond are held at the ends.
  func place(_ value: Double) -> Double {
    guard !value.isNaN else { return 0 }
    let place: Double
    switch scale {
    case .linear: place = (value - lowerBound) / (upperBound - lowerBound)
    case .logarithmic:
      guard value > 0 else { return 0 }
      place = (log10(value) - log10(lowerBound)) / (log10(upperBound) - log10(lowerBound))
    }
    return min(max(place, 0), 1)
  }

  /// The distance of linear ticks: 1, 2 or 5 times a power of ten that makes about five intervals.
  private var tickStep: Double {
    let raw = (upperBound - lowerBound) / 5
    let power = pow(10, log10(raw).rounded(.down))
    let factor = [1.0, 2, 5, 10].first { $0 * power >= raw * 0.999 } ?? 10
    return factor * power
  }

  /// The values that get a tick, ascending.
  var ticks: [Double] {
    switch scale {
    case .linear:
      let step = tickStep
      let first = (lowerBound / step - 1e-9).rounded(.up)
      let last = (upperBound / step + 1e-9).rounded(.down)
      guard last - first < 100 else { return [] }
      // Adding zero turns −0 into 0.
      return stride(from: first, through: last, by: 1).map { $0 * step + 0 }
    case .logarithmic:
      let first = Int((log10(lowerBound) - 1e-9).rounded(.up))
      let last = Int((log10(upperBound) + 1e-9).rounded(.down))
      guard first <= last else { return [] }
      let step = max(1, (last - first + 4) / 5)
      return stride(from: first, through: last, by: step).map { pow(10, Double($0)) }
    }
  }

  /// The text at a tick.
  func label(_ tick: Double) -> String {
    switch scale {
    case .linear: return PlotNumber.text(tick, step: tickStep)
    case .logarithmic:
      let isPlain = lowerBound > 0.5e-3 && upperBound < 2e4
      let exponent = Int(log10(tick).rounded())
      return isPlain || exponent == 0 ? PlotNumber.short(tick) : "1e\(exponent)"
    }
  }
}

/// Numbers as plots and tables show them.
enum PlotNumber {
  /// A tick of an axis whose ticks are `step` apart.
  static func text(_ value: Double, step: Double) -> String {
    let size = max(abs(value), step)
    if size >= 1e6 || step < 1e-4 { return short(value) }
    let digits = max(0, Int((-log10(step) - 1e-9).rounded(.up)))
    return fixed(value, digits)
  }

  /// Four significant digits, with an exponent where that is shorter.
  static func short(_ value: Double?) -> String {
    value.map { String(format: "%.4g", $0) } ?? "–"
  }

  static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  static func fixed(_ value: Double?, _ digits: Int) -> String {
    value.map { fixed($0, digits) } ?? "–"
  }

  /// Bytes in decimal units.
  static func bytes(_ count: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var value = Double(count)
    var unit = 0
    while value >= 999.95, unit + 1 < units.count {
      value /= 1000
      unit += 1
    }
    return unit == 0 ? "\(count) B" : "\(fixed(value, 1)) \(units[unit])"
  }
}
