//! The word that was probably meant: the nearest by edit distance.
//!
//! Damerau's distance with neighbours swapped (optimal string alignment): insert, delete, replace and swap cost
//! one each. Words here are short, so the plain table of two rows and one more is enough.

/// The one of `words` nearest to `typed`, unless it is so far that naming it would not help.
pub fn nearest<'w>(typed: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let typed = typed.to_lowercase();
    let near = words.into_iter().map(|word| (distance(&typed, word), word));
    let (far, word) = near.min()?;
    (far <= typed.chars().count().max(word.len()) / 3 + 1 && far < word.len()).then_some(word)
}

/// Edits that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (mut above2, mut above) = (Vec::new(), (0..=b.len()).collect::<Vec<_>>());
    for (row, &x) in a.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, &y) in b.iter().enumerate() {
            let mut cost = (above[column] + usize::from(x != y))
                .min(above[column + 1] + 1)
                .min(line[column] + 1);
            let swapped = row > 0 && column > 0 && x == b[column - 1] && a[row - 1] == y;
            if swapped {
                let before: usize = above2[column - 1];
                cost = cost.min(before + 1);
            }
            line.push(cost);
        }
        above2 = std::mem::replace(&mut above, line);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let cases = [
            ("", "", 0),
            ("a", "", 1),
            ("hostnam", "hostname", 1),
            ("hsotname", "hostname", 1),
            ("kitten", "sitting", 3),
        ];
        for (a, b, far) in cases {
            assert_eq!((distance(a, b), distance(b, a)), (far, far), "{a} {b}");
        }
    }

    #[test]
    fn hints() {
        let words = ["hostname", "data_dir", "domain", "tls"];
        let cases = [
            ("hostnam", Some("hostname")),
            ("HostName", Some("hostname")),
            ("datadir", Some("data_dir")),
            ("domains", Some("domain")),
            ("tsl", Some("tls")),
            ("zebra", None),
            ("x", None),
        ];
        for (typed, hint) in cases {
            assert_eq!(nearest(typed, words), hint, "{typed}");
        }
    }
}
