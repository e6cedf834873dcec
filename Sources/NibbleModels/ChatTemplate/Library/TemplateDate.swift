internal import Foundation

/// A date and time of day without a time zone: what `strftime_now` prints.
public struct TemplateDate: Sendable, Equatable {
  public var year: Int
  /// 1 to 12.
  public var month: Int
  /// 1 to 31.
  public var day: Int
  public var hour: Int
  public var minute: Int
  public var second: Int

  public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
  }

  /// The present local time, in the Gregorian calendar.
  public static func now() -> TemplateDate {
    let fields = Calendar(identifier: .gregorian).dateComponents(
      [.year, .month, .day, .hour, .minute, .second], from: Date())
    return TemplateDate(
      year: fields.year ?? 1970, month: fields.month ?? 1, day: fields.day ?? 1,
      hour: fields.hour ?? 0, minute: fields.minute ?? 0, second: fields.second ?? 0)
  }

  private static let weekdays = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]
  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]
  private static let daysBeforeMonth = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

  private var isLeapYear: Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private var monthIndex: Int { min(max(month, 1), 12) - 1 }

  /// 1 on the first of January.
  private var dayOfYear: Int {
    Self.daysBeforeMonth[monthIndex] + day + (isLeapYear && month > 2 ? 1 : 0)
  }

  /// 0 on Sundays.
  private var weekday: Int {
    let before = year - 1
    let days = 365 * before + before / 4 - before / 100 + before / 400 + dayOfYear
    return ((days % 7) + 7) % 7
  }

  /// The date in the form of C's `strftime` in the C locale; nil when `format` holds an unknown
  /// directive.
  func formatted(_ format: String) -> String? {
    var result = ""
    var scalars = format.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      var directive = scalars.next()
      let unpadded = directive == "-"
      if unpadded { directive = scalars.next() }
      guard let directive, let field = field(directive, unpadded: unpadded) else { return nil }
      result += field
    }
    return result
  }

  private func field(_ directive: Unicode.Scalar, unpadded: Bool) -> String? {
    func padded(_ value: Int, _ width: Int) -> String {
      let digits = String(value)
      if unpadded || digits.utf8.count >= width { return digits }
      return String(repeating: "0", count: width - digits.utf8.count) + digits
    }
    let hour12 = hour % 12 == 0 ? 12 : hour % 12
    switch directive {
    case "Y": return String(year)
    case "y": return padded(year % 100, 2)
    case "m": return padded(month, 2)
    case "d": return padded(day, 2)
    case "e": return (day < 10 && !unpadded ? " " : "") + String(day)
    case "H": return padded(hour, 2)
    case "I": return padded(hour12, 2)
    case "M": return padded(minute, 2)
    case "S": return padded(second, 2)
    case "j": return padded(dayOfYear, 3)
    case "p": return hour < 12 ? "AM" : "PM"
    case "B": return Self.months[monthIndex]
    case "b", "h": return String(Self.months[monthIndex].prefix(3))
    case "A": return Self.weekdays[weekday]
    case "a": return String(Self.weekdays[weekday].prefix(3))
    case "w": return String(weekday)
    case "u": return String(weekday == 0 ? 7 : weekday)
    case "F": return formatted("%Y-%m-%d")
    case "T", "X": return formatted("%H:%M:%S")
    case "R": return formatted("%H:%M")
    case "D", "x": return formatted("%m/%d/%y")
    case "r": return formatted("%I:%M:%S %p")
    case "c": return formatted("%a %b %e %H:%M:%S %Y")
    case "n": return "\n"
    case "t": return "\t"
    case "%": return "%"
    default: return nil
    }
  }
}
