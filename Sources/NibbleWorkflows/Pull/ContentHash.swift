public import Foundation

#if canImport(CryptoKit)
  internal import CryptoKit
#else
  internal import COpenSSL
#endif

/// An incremental SHA-256 or SHA-1 (FIPS 180-4), by the system's own library.
public struct ContentHash: ~Copyable {
  /// The hash functions that sources announce.
  public enum Algorithm: Sendable {
    case sha256
    /// Only for Git object names, which are SHA-1; never a proof against an attacker.
    case sha1
  }

  #if canImport(CryptoKit)
    private enum Hasher {
      case sha256(SHA256)
      case sha1(Insecure.SHA1)
    }
    private var hasher: Hasher

    public init(_ algorithm: Algorithm) {
      switch algorithm {
      case .sha256: hasher = .sha256(SHA256())
      case .sha1: hasher = .sha1(Insecure.SHA1())
      }
    }

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
      switch hasher {
      case .sha256(var value):
        value.update(bufferPointer: bytes)
        hasher = .sha256(value)
      case .sha1(var value):
        value.update(bufferPointer: bytes)
        hasher = .sha1(value)
      }
    }

    /// The digest of all bytes so far, in lower-case hexadecimal digits; more bytes may follow.
    public func hexadecimalDigest() -> String {
      switch hasher {
      case .sha256(let value): Self.hexadecimal(value.finalize())
      case .sha1(let value): Self.hexadecimal(value.finalize())
      }
    }
  #else
    private let context: OpaquePointer

    public init(_ algorithm: Algorithm) {
      let kind = algorithm == .sha256 ? EVP_sha256() : EVP_sha1()
      let fresh = EVP_MD_CTX_new()
      guard let fresh, EVP_DigestInit_ex(fresh, kind, nil) == 1 else {
        preconditionFailure("libcrypto has no memory or no \(algorithm)")
      }
      context = fresh
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
      let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
      precondition(status == 1, "libcrypto refused bytes to hash")
    }

    /// The digest of all bytes so far, in lower-case hexadecimal digits; more bytes may follow.
    public func hexadecimalDigest() -> String {
      let copy = EVP_MD_CTX_new()
      defer { EVP_MD_CTX_free(copy) }
      var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
      var count: UInt32 = 0
      let isDone =
        EVP_MD_CTX_copy_ex(copy, context) == 1 && EVP_DigestFinal_ex(copy, &digest, &count) == 1
      precondition(isDone, "libcrypto could not finish a digest")
      return Self.hexadecimal(digest.prefix(Int(count)))
    }
  #endif

  private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return String(decoding: text, as: UTF8.self)
  }

  /// The SHA-256 of a file, read in pieces of one mebibyte.
  ///
  /// - Throws: ``PullError/Code/io`` when the file cannot be read.
  public static func sha256(ofFile file: URL) throws(PullError) -> String {
    var hash = ContentHash(.sha256)
    try hash.update(contentsOf: file)
    return hash.hexadecimalDigest()
  }

  /// Adds all bytes of a file.
  public mutating func update(contentsOf file: URL) throws(PullError) {
    do {
      let handle = try FileHandle(forReadingFrom: file)
      defer { try? handle.close() }
      while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {
        piece.withUnsafeBytes { update($0) }
      }
    } catch {
      throw PullError(.io, "cannot be read", subject: file.path)
    }
  }

  /// Adds a text's UTF-8 bytes.
  mutating func update(_ text: String) {
    var text = text
    text.withUTF8 { update(UnsafeRawBufferPointer($0)) }
  }

  /// A SHA-256 in lower-case digits; nil when `text` is not 64 hexadecimal digits.
  static func normalized(_ text: some StringProtocol) -> String? {
    guard text.utf8.count == 64, text.utf8.allSatisfy({ isHexadecimal($0) }) else { return nil }
    return text.lowercased()
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }
}
