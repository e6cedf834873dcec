/// Adds up the time of operations. It belongs to one session.
final class ProfileRecorder {
  private var profile = OperationProfile()
  private let start = ContinuousClock.now
  /// Time of the operations inside the one that is running.
  private var inner = Duration.zero

  /// Runs an operation; its time is without that of operations within it.
  func measure<Result>(
    _ kind: OperationProfile.Kind, products: Int = 0, bytes: Int = 0, _ body: () -> Result
  ) -> Result {
    let outer = inner
    inner = .zero
    let start = ContinuousClock.now
    let result = body()
    let elapsed = ContinuousClock.now - start
    add(kind, elapsed - inner, products: products, bytes: bytes)
    inner = outer + elapsed
    return result
  }

  /// Adds an operation that was measured elsewhere, inside the one that is running.
  func addInner(_ kind: OperationProfile.Kind, _ duration: Duration, bytes: Int) {
    add(kind, duration, products: 0, bytes: bytes)
    inner += duration
  }

  private func add(
    _ kind: OperationProfile.Kind, _ duration: Duration, products: Int, bytes: Int
  ) {
    profile.add(
      kind, seconds: duration / .seconds(1), products: Double(products), bytes: Double(bytes))
  }

  /// What was found, ended now.
  func finish() -> OperationProfile {
    profile.totalSeconds = (ContinuousClock.now - start) / .seconds(1)
    return profile
  }
}
