//! Letters for search: as many different ones as wanted, the same in every run. Words of four scripts whose frequencies
//! follow Zipf's law, lengths that are mostly short and sometimes long, ids as real headers have them.

/// Numbers that look random: xorshift with a multiplied output.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (((self.next() >> 32) * end as u64) >> 32) as usize
    }

    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of `list`, the first ones more often.
    fn of<'l>(&mut self, list: &[&'l str]) -> &'l str {
        list[(self.unit() * self.unit() * list.len() as f64) as usize]
    }

    /// One of `words` by Zipf's law.
    fn word<'w>(&mut self, words: &'w [String]) -> &'w str {
        let rank = (words.len() as f64).powf(self.unit()) as usize;
        &words[rank.saturating_sub(1).min(words.len() - 1)]
    }
}

/// Octets of a letter's body that the lengths average to.
const BODY_OCTETS: f64 = 2_000.0;

/// The words of all letters.
pub struct Letters {
    latin: Vec<String>,
    cyrillic: Vec<String>,
    chinese: Vec<String>,
    arabic: Vec<String>,
}

impl Default for Letters {
    fn default() -> Self {
        Letters::new()
    }
}

impl Letters {
    pub fn new() -> Self {
        let mut random = Random(7);
        let latin = [
            "t", "n", "s", "r", "l", "d", "c", "m", "p", "st", "f", "g", "b", "h", "th", "v", "w",
            "ch", "k", "tr", "pr", "qu", "z", "x",
        ];
        let cyrillic = [
            "н", "т", "с", "р", "в", "л", "к", "м", "д", "п", "г", "б", "з", "ч", "х", "ж", "ш",
        ];
        let arabic = [
            "ل", "ن", "م", "ر", "ت", "ب", "ع", "د", "ق", "س", "ف", "ك", "ح", "ج",
        ];
        let latin_vowels = [
            "e", "a", "i", "o", "u", "io", "ea", "ou", "y", "ü", "ö", "é",
        ];
        Letters {
            latin: words(&mut random, 30_000, &latin, &latin_vowels),
            cyrillic: words(
                &mut random,
                10_000,
                &cyrillic,
                &["о", "е", "а", "и", "у", "я", "ы"],
            ),
            chinese: (0..3_000).map(|_| chinese(&mut random)).collect(),
            arabic: words(&mut random, 8_000, &arabic, &["ا", "ي", "و", "ه"]),
        }
    }

    /// Letter `number`.
    pub fn letter(&self, number: u64) -> Vec<u8> {
        let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        let words = match random.below(20) {
            0..14 => &self.latin,
            14..17 => &self.cyrillic,
            17..19 => &self.chinese,
            _ => &self.arabic,
        };
        let mut mail = self.header(&mut random, words);
        let octets = (-(1.0 - random.unit()).ln() * BODY_OCTETS) as usize + 100;
        let end = mail.len() + octets;
        let mut line = mail.len();
        while mail.len() < end {
            mail.push_str(random.word(words));
            match random.below(300) {
                0 => {
                    let host = random.word(&self.latin).to_owned();
                    mail.push_str(&format!(" https://{host}.example/{:x}", random.next()));
                }
                1..25 => mail.push(','),
                _ => {}
            }
            if mail.len() - line > 66 {
                mail.push_str("\r\n");
                line = mail.len();
            } else {
                mail.push(' ');
            }
        }
        mail.push_str("\r\n");
        mail.into_bytes()
    }

    fn header(&self, random: &mut Random, words: &[String]) -> String {
        let (name, family) = (random.word(&self.latin), random.word(&self.latin));
        let domain = random.word(&self.latin);
        let mut time = || {
            let (day, hour) = (1 + random.below(28), random.below(24));
            format!(
                "{day} Nov 2026 {hour:02}:{:02}:{:02} +0000",
                random.below(60),
                random.below(60)
            )
        };
        let (received, date) = (time(), time());
        let signature: String = (0..172)
            .map(|_| {
                char::from(
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                        [random.below(64)],
                )
            })
            .collect();
        let subject: Vec<&str> = (0..3 + random.below(6))
            .map(|_| random.word(words))
            .collect();
        format!(
            "Received: from mx{}.{domain}.example (mx.{domain}.example [192.0.2.{}])\r\n by mail.example.org with ESMTPS id {:x};\r\n {received}\r\n\
             DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}.example; s=20260401;\r\n h=from:to:subject:date:message-id:mime-version:content-type;\r\n \
             bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n b={signature}\r\n\
             From: {name} {family} <{name}.{family}@{domain}.example>\r\nTo: Bob Example <bob@example.org>\r\nSubject: {}\r\n\
             Message-ID: <{:x}.{:x}@{domain}.example>\r\nDate: {date}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            random.below(9),
            random.below(250),
            random.next(),
            subject.join(" "),
            random.next(),
            random.next(),
        )
    }
}

/// Words of syllables, the frequent ones short.
fn words(random: &mut Random, count: usize, consonants: &[&str], vowels: &[&str]) -> Vec<String> {
    let word = |rank: usize| {
        let syllables = 1
            + random.below(2)
            + usize::from(rank > 100)
            + usize::from(rank > 2_000 && random.below(2) == 0);
        let mut word = String::new();
        for _ in 0..syllables {
            word.push_str(random.of(consonants));
            word.push_str(random.of(vowels));
            if random.below(3) == 0 {
                word.push_str(random.of(consonants));
            }
        }
        word
    };
    (0..count).map(word).collect()
}

fn chinese(random: &mut Random) -> String {
    let characters = 1 + random.below(3);
    let one = |_| {
        let place = (random.unit() * random.unit() * 6_000.0) as u32;
        char::from_u32(0x4e00 + place).unwrap_or('一')
    };
    (0..characters).map(one).collect()
}
