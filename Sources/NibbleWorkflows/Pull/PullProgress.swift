/// What a pull tells while it runs. Events of one file arrive in order; files are fetched one after
/// the other.
public enum PullProgress: Sendable, Equatable {
  /// Something worth saying once, for example which file of a package was chosen.
  case note(String)
  /// The bytes of a file begin to arrive; `resumedAt` bytes were there already.
  case started(file: String, byteCount: Int?, resumedAt: Int)
  /// `received` bytes of the file are on disk now.
  case advanced(file: String, received: Int, byteCount: Int?)
  /// The last attempt failed and another follows after `seconds`.
  case retrying(file: String, reason: String, seconds: Double)
  /// The file is whole, verified and under its final name.
  case finished(file: String, byteCount: Int)
  /// The file was there already, whole and verified.
  case present(file: String)
}
