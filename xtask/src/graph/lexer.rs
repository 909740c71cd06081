//! Rust source as words: as much of it as tells which module names which.

/// One word of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An identifier or keyword.
    Word(String),
    /// `::`
    Path,
    /// Any other character that stands for itself.
    Mark(char),
}

impl Token {
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn is(&self, mark: char) -> bool {
        *self == Self::Mark(mark)
    }
}

/// The words of a source, without comments, literals and white space.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut rest = source;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let n_bytes = skipped(rest).unwrap_or_else(|| {
            let (token, n_bytes) = token(rest, first);
            tokens.extend(token);
            n_bytes
        });
        rest = &rest[n_bytes..];
    }
    tokens
}

/// The bytes of a comment or literal that begins here.
fn skipped(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(rest.len());
    let hashes = rest[prefix..].bytes().take_while(|byte| *byte == b'#').count();
    let is_raw = rest[..prefix].ends_with('r');
    if (is_raw || hashes == 0) && rest[prefix + hashes..].starts_with('"') {
        let start = prefix + hashes + 1;
        return Some(start + if is_raw { raw_end(&rest[start..], hashes) } else { text_end(&rest[start..], '"') });
    }
    let is_byte = rest.starts_with("b'");
    character(&rest[usize::from(is_byte)..]).map(|n_bytes| n_bytes + usize::from(is_byte))
}

/// Up to and with the quote after a text.
fn text_end(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    let end = rest.char_indices().find(|(_, c)| {
        let is_end = *c == quote && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

fn raw_end(rest: &str, n_hashes: usize) -> usize {
    let end = format!("\"{}", "#".repeat(n_hashes));
    rest.find(&end).map_or(rest.len(), |at| at + end.len())
}

/// A character, and not a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let first = inner.chars().next()?;
    if first == '\\' {
        return Some(1 + text_end(inner, '\''));
    }
    inner[first.len_utf8()..].starts_with('\'').then_some(2 + first.len_utf8())
}

fn token(rest: &str, first: char) -> (Option<Token>, usize) {
    if first.is_alphanumeric() || first == '_' {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return (Some(Token::Word(rest[..end].to_owned())), end);
    }
    if rest.starts_with("::") {
        return (Some(Token::Path), 2);
    }
    ((!first.is_whitespace()).then_some(Token::Mark(first)), first.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_have_no_words() {
        let source = "a /* b */ \"c \\\" d\" r#\"e \" f\"# 'g' '\\'' b'h' b\"i\" c\"j\" 'k: l // m\nn";
        let words: Vec<String> = tokens(source).iter().filter_map(|t| t.word().map(str::to_owned)).collect();
        assert_eq!(words, ["a", "k", "l", "n"]);
    }

    #[test]
    fn paths_are_words_with_path_marks() {
        let expected = [Token::Word("a".into()), Token::Path, Token::Word("b".into()), Token::Mark(';')];
        assert_eq!(tokens("a::b;"), expected);
    }
}
