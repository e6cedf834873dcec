internal import Foundation

/// Brings one remote file to its final name: resumes, retries, checks, renames.
struct FileDownload {
  let file: RemoteFile
  let folder: URL
  let client: HTTPClient
  let retry: RetryPolicy
  let progress: @Sendable (PullProgress) -> Void

  private var destination: URL { folder.appending(path: file.name) }
  private var partPath: String { destination.path + ".part" }
  /// Where the entity tag of a part file is kept while no digest guards it.
  private var tagPath: String { partPath + ".etag" }

  /// Runs the download. A file that is there already, whole and with the right digest, is left
  /// alone.
  ///
  /// A failed download leaves its part file for the next run, unless the content was wrong.
  ///
  /// - Returns: the final file.
  func run() async throws(PullError) -> URL {
    do throws(PullError) {
      if try isPresent() {
        progress(.present(file: file.name))
        return destination
      }
      let part = try openPart()
      do throws(PullError) {
        try await fill(part)
      } catch {
        if part.byteCount == 0 { part.remove() }
        throw error
      }
      try part.finish(as: destination.path)
      unlinkTag()
      progress(.finished(file: file.name, byteCount: part.byteCount))
      return destination
    } catch {
      throw error.about(HTTPClient.shown(file.url))
    }
  }

  private func isPresent() throws(PullError) -> Bool {
    let values = try? destination.resourceValues(forKeys: [.fileSizeKey, .isDirectoryKey])
    guard let values, let byteCount = values.fileSize else { return false }
    if values.isDirectory == true {
      throw PullError(.io, "a folder of this name is in the way", subject: destination.path)
    }
    guard let digest = file.digest, file.byteCount ?? byteCount == byteCount else { return false }
    return try digest.matches(destination, byteCount: byteCount)
  }

  private func openPart() throws(PullError) -> PartFile {
    guard let digest = file.digest else { return try PartFile(path: partPath) { nil } }
    // A Git blob's name covers its size; without one there is nothing to check it by.
    if case .gitBlob = digest, file.byteCount == nil { return try PartFile(path: partPath) { nil } }
    let byteCount = file.byteCount ?? 0
    return try PartFile(path: partPath) { digest.makeHash(byteCount: byteCount) }
  }

  /// Fetches until the part file is whole and verified.
  private func fill(_ part: PartFile) async throws(PullError) {
    var failures = 0
    var isFromEarlierRun = part.byteCount > 0
    while true {
      let before = part.byteCount
      do throws(PullError) {
        try await attempt(part)
        if try isVerified(part) { return }
        guard isFromEarlierRun else {
          part.remove()
          unlinkTag()
          throw PullError(.mismatch, "the content is not what the source announced (hash differs)")
        }
        // What an earlier run left may be of another version of the file: once more from the start.
        isFromEarlierRun = false
        progress(.note("\(file.name): the bytes of an earlier run do not fit, starting again"))
        try part.restart()
      } catch {
        if Task.isCancelled { throw PullError(.cancelled, "cancelled") }
        failures = part.byteCount > before ? 1 : failures + 1
        guard retry.allowsAnother(afterFailures: failures, error) else { throw error }
        let pause = retry.pause(afterFailures: failures, serverWish: error.retryAfter)
        progress(.retrying(file: file.name, reason: error.message, seconds: pause))
        try await retry.wait(afterFailures: failures, error)
      }
    }
  }

  private func isVerified(_ part: PartFile) throws(PullError) -> Bool {
    if let byteCount = file.byteCount, part.byteCount != byteCount { return false }
    guard let found = part.digest else { return true }
    return found == file.digest?.digits
  }

  /// One request. Returns when the part file has all bytes.
  private func attempt(_ part: PartFile) async throws(PullError) {
    if let byteCount = file.byteCount {
      if part.byteCount == byteCount, byteCount > 0, part.digest != nil { return }
      if part.byteCount > byteCount { try part.restart() }
    }
    var request = HTTPRequest(url: file.url, token: file.token)
    if part.byteCount > 0 {
      if part.digest != nil {
        request.headers.append(("Range", "bytes=\(part.byteCount)-"))
      } else if let tag = try? String(contentsOfFile: tagPath, encoding: .utf8) {
        request.headers.append(("Range", "bytes=\(part.byteCount)-"))
        request.headers.append(("If-Range", tag))
      } else {
        try part.restart()
      }
    }
    let name = file.name
    let progress = progress
    let sink = DownloadSink(part: part, offset: part.byteCount, byteCount: file.byteCount) {
      [tagPath, isChecked = part.digest != nil] response, total, resumedAt in
      if !isChecked { Self.keepTag(response.strongEntityTag, at: tagPath) }
      progress(.started(file: name, byteCount: total, resumedAt: resumedAt))
    } onAdvance: { received, total in
      progress(.advanced(file: name, received: received, byteCount: total))
    }
    let response = try await client.stream(request, into: sink)
    guard sink.isAccepted else { return try await refuse(response, part) }
    if let total = sink.total, part.byteCount < total {
      throw PullError(.network, "the connection broke after \(part.byteCount) of \(total) bytes")
    }
  }

  private func refuse(_ response: HTTPResponse, _ part: PartFile) async throws(PullError) {
    if response.status == 416, part.byteCount > 0 {
      // The server has fewer bytes than the part file: what is there is of no use.
      try part.restart()
      throw PullError(.network, "the server cannot continue the file where it broke off")
    }
    throw PullError.refusal(response)
  }

  private static func keepTag(_ tag: String?, at path: String) {
    if let tag {
      try? tag.write(toFile: path, atomically: true, encoding: .utf8)
    } else {
      try? FileManager.default.removeItem(atPath: path)
    }
  }

  private func unlinkTag() { Self.keepTag(nil, at: tagPath) }
}
