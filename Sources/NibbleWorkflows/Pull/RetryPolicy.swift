/// How often and how patiently a broken download is tried again.
public struct RetryPolicy: Sendable {
  /// Attempts in a row without a new byte after which a download is given up.
  public var attempts: Int
  /// Seconds before the second attempt; each later pause is twice as long.
  public var firstPause: Double
  /// The longest pause in seconds, also where the server asks for a longer one.
  public var longestPause: Double

  public init(attempts: Int = 6, firstPause: Double = 1, longestPause: Double = 30) {
    self.attempts = max(1, attempts)
    self.firstPause = firstPause
    self.longestPause = longestPause
  }

  /// The pause after `failures` failures in a row.
  func pause(afterFailures failures: Int, serverWish: Double?) -> Double {
    var pause = firstPause
    for _ in 1..<max(1, failures) where pause < longestPause { pause *= 2 }
    return min(longestPause, max(0, serverWish ?? pause))
  }

  /// Whether to try again after `error`, the last of `failures` failures in a row.
  func allowsAnother(afterFailures failures: Int, _ error: PullError) -> Bool {
    switch error.code {
    case .network, .server: failures < attempts
    // A name that does not resolve rarely starts to: one more try is enough.
    case .unreachable: failures < min(attempts, 2)
    default: false
    }
  }

  /// Waits before the next attempt.
  func wait(afterFailures failures: Int, _ error: PullError) async throws(PullError) {
    let pause = pause(afterFailures: failures, serverWish: error.retryAfter)
    do { try await Task.sleep(for: .seconds(pause)) } catch {
      throw PullError(.cancelled, "cancelled")
    }
  }
}
