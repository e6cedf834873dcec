internal import Foundation
public import NibbleCheckpoints
public import NibbleTensors
internal import Synchronization

/// What a run did, a JSON object a line, appended to a file as it happens.
///
/// Every line has `event`, `time` (UTC, ISO 8601) and what belongs to the event. A file that stood there before is continued, so
/// that a run that was interrupted and resumed has one log.
public final class RunLog: Sendable {
  private let file: Mutex<FileHandle>

  /// - Throws: `FileError` when the file cannot be opened for appending.
  public init(path: String) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .fromErrno(path, "append to it") }
    file = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
  }

  /// Appends a line; one that cannot be written is left out, since the run matters more than its log.
  ///
  /// - Parameters:
  ///   - event: what happened.
  ///   - fields: an object of what belongs to it.
  public func write(_ event: String, _ fields: JSONValue = [:]) {
    var line = JSONObject([
      "event": .string(event), "time": .string(Date.now.formatted(.iso8601)),
    ])
    for key in fields.object?.keys ?? [] { line[key] = fields.object?[key] }
    let text = JSONValue.object(line).text() + "\n"
    file.withLock { try? $0.write(contentsOf: Data(text.utf8)) }
  }

  /// Logs `start` with `fields`, and how `work` ended: `end` with `summary` of its result, or `error`.
  static func around<Result>(
    _ log: RunLog?, _ fields: JSONValue, summary: (Result) -> JSONValue, _ work: () throws -> Result
  ) throws -> Result {
    log?.write("start", fields)
    do {
      let result = try work()
      log?.write("end", summary(result))
      return result
    } catch {
      log?.write("error", ["message": .string("\(error)")])
      throw error
    }
  }
}
