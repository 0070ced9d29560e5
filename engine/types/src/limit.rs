//! Whatever a stranger can make grow, with its bound. One table; configuration, help and tests are made from it.
//!
//! A limit is read through [`Limits`]: the table's defaults, some of them overridden by `[limits]` in the
//! configuration. Invariant 6 of the architecture: nothing a peer sends grows without its line here.

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Key in `[limits]`, unit or `_max` last.
    pub name: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// Used where the configuration is silent.
    pub default: u64,
    /// Why this bound, or where it comes from.
    pub reason: &'static str,
}

macro_rules! limits {
    ($($field:ident: $unit:literal = $default:expr, $reason:literal;)*) => {
        /// Every limit, in the order of the house: SMTP, message, IMAP, machine.
        pub const TABLE: &[Limit] = &[$(Limit {
            name: stringify!($field),
            unit: $unit,
            default: $default,
            reason: $reason,
        }),*];

        /// The limits in force, one field for each line of [`TABLE`].
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $(#[doc = concat!("In ", $unit, ". ", $reason)] pub $field: u64,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($field: $default,)* }
            }
        }

        impl Limits {
            /// Sets the limit called `name`; `None` where there is none of that name.
            pub fn set(&mut self, name: &str, value: u64) -> Option<()> {
                match name {
                    $(stringify!($field) => self.$field = value,)*
                    _ => return None,
                }
                Some(())
            }

            /// The value of the limit called `name`.
            pub fn value(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($field) => Some(self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

limits! {
    smtp_command_octets_max: "octets" = 2_048, "RFC 5321 4.5.3.1.4 asks for 512 plus what each extension adds; long SASL responses have their own limit.";
    smtp_auth_octets_max: "octets" = 12_288, "RFC 4954 4: a SASL response line of 12,288 octets must be taken.";
    smtp_recipients_max: "recipients" = 1_000, "RFC 5321 4.5.3.1.8 asks for 100 at least; above this 452 4.5.3.";
    smtp_errors_max: "replies" = 20, "Refused commands of one session before it is ended with 421: guessing and fuzzing cost something.";
    smtp_transactions_max: "transactions" = 10_000, "Mails of one session before 421: a connection must not live forever.";
    smtp_login_failures_max: "attempts" = 5, "Failed logins of one session before 421.";
    smtp_idle_commands_max: "commands" = 100, "NOOP, RSET, VRFY, EHLO and their like since the last mail, before 421: they cost us and bring nothing. As Postfix.";
    smtp_transcript_octets_max: "octets" = 16_384, "What one session remembers of what was said, secrets and mails left out; its beginning and its end are kept.";
    smtp_hold_seconds_max: "seconds" = 2_592_000, "RFC 4865: how long a user may have a mail held back, 30 days; announced in FUTURERELEASE.";
    smtp_idle_ms: "milliseconds" = 300_000, "RFC 5321 4.5.3.2.7: a server waits 5 minutes for a command.";
    smtp_initial_ms: "milliseconds" = 300_000, "RFC 5321 4.5.3.2.1: from the greeting to a client's first word.";
    smtp_command_ms: "milliseconds" = 300_000, "RFC 5321 4.5.3.2.7: one command from its first octet to its end, for octets that drip in end no silence.";
    smtp_data_block_ms: "milliseconds" = 180_000, "RFC 5321 4.5.3.2.5: a block of a mail; within it smtp_data_block_octets must come.";
    smtp_data_block_octets: "octets" = 4_096, "Of a mail that comes slower than so many octets in smtp_data_block_ms the connection is cut: a modem of 1985 is faster.";
    smtp_tarpit_errors: "replies" = 5, "Permanent refusals of one session before its answers slow down: typing errors are free, guessing is not. Postfix counts to 10.";
    smtp_tarpit_ms_max: "milliseconds" = 8_000, "The slowest answer of the tarpit, which begins at half a second and doubles; more than that and a client's own patience ends first.";
    smtp_authors_max: "addresses" = 16, "Addresses in From and Sender of a mail that a user submits: each is looked up.";
    smtp_transcripts_per_minute: "transcripts" = 300, "Sessions that one listener of one shard keeps in a minute: a flood of refusals is not to become one of writes.";
    smtp_session_connections_max: "connections" = 10_000, "Open SMTP connections of one shard; above it 421 4.3.2.";
    message_octets_max: "octets" = 52_428_800, "Announced in SIZE; above it 552 5.3.4. RFC 1870.";
    message_memory_octets_max: "octets" = 268_435_456, "Octets of mails that one shard holds in memory at once; above it mails go to disk while they come, and smaller ones get 452 4.3.1.";
    message_stream_octets: "octets" = 1_048_576, "A larger mail is written into the log while it arrives: what is held of it in memory stays below this.";
    message_header_octets_max: "octets" = 1_048_576, "Of one header so much is read; what it says further on stays in the mail unread. No smaller than Exim's bound.";
    message_header_fields_max: "fields" = 4_096, "Header fields told apart in one header; the rest stays in the mail unread.";
    message_parts_max: "parts" = 1_000, "MIME parts told apart; the rest is one opaque part.";
    message_depth_max: "levels" = 32, "MIME nesting told apart; deeper parts are opaque.";
    message_digest_octets_max: "octets" = 262_144, "Header values kept in one digest: what FETCH ENVELOPE and BODYSTRUCTURE may answer; values above it are told as NIL.";
    message_text_octets_max: "octets" = 1_048_576, "Readable text of one mail kept for SEARCH; of a mail with more nothing is kept, and a search reads the mail itself.";
    message_received_max: "fields" = 100, "RFC 5321 6.3: a mail with more Received fields is in a loop, 554 5.4.6.";
    imap_command_octets_max: "octets" = 65_536, "One command without its literals of APPEND. RFC 7162 4 asks for 8,192 at least.";
    imap_literal_octets_max: "octets" = 65_536, "A literal anywhere but in APPEND.";
    imap_append_octets_max: "octets" = 52_428_800, "One appended message, as message_octets_max.";
    imap_nesting_max: "levels" = 32, "Parentheses in one command, above all in SEARCH.";
    imap_search_texts_max: "texts" = 128, "Texts that one SEARCH looks for: each may be sought in every octet of every mail.";
    imap_errors_max: "replies" = 20, "BAD answers of one session before BYE.";
    imap_login_failures_max: "attempts" = 5, "Failed logins of one session before BYE.";
    imap_preauth_idle_ms: "milliseconds" = 60_000, "Silence before login.";
    imap_preauth_ms: "milliseconds" = 180_000, "From greeting to login: octets that drip in end no silence, yet hold a connection.";
    imap_idle_ms: "milliseconds" = 1_860_000, "RFC 9051 5.4: at least 30 minutes.";
    imap_connections_max: "connections" = 50_000, "Open IMAP connections of one shard; above it BYE.";
    imap_keywords_max: "keywords" = 64, "Distinct keywords of one mailbox: they are one 64-bit set in a message row, so more than 64 count as 64.";
    imap_copy_messages_max: "messages" = 100_000, "Messages of one COPY, and of INBOX when it is renamed: RFC 9051 6.4.7 wants all or none, so everybody's writes wait for it, some seconds, and 150 MB; above it NO [LIMIT].";
    mailbox_name_octets_max: "octets" = 255, "A mailbox name in UTF-8: it is part of a key of at most 400 octets, so more than 396 count as 396.";
    account_mailboxes_max: "mailboxes" = 10_000, "Mailboxes of one account; the six it begins with are never refused.";
    account_vanished_max: "rows" = 100_000, "What left the mailboxes of one account and is remembered for clients that come back, RFC 7162 3.2.5.2; above it the oldest are forgotten, and who knew less compares all messages.";
    account_app_passwords_max: "passwords" = 100, "App passwords of one account: a login may have to try each.";
    transcripts_max: "transcripts" = 100_000, "Sessions that were refused or failed and are kept for ringpost trace; above it the oldest fall.";
    transcript_days: "days" = 7, "How long they are kept.";
    bans_max: "networks" = 100_000, "Networks that are banned; above it those fall whose ban ends first.";
    reputations_max: "networks" = 100_000, "Networks that were caught by a trap and are remembered; above it those fall that were caught longest ago.";
    reputation_days: "days" = 30, "How long they are remembered after they were last caught.";
    delivery_lag_octets_max: "octets" = 67_108_864, "Mail durable in the logs and not yet in the index; above it new mail waits.";
    disk_free_octets_min: "octets" = 268_435_456, "Room on the index's disk; below it new mail is refused with 452 4.3.1, so that what the logs hold still finds room in the index.";
    snapshot_age_ms_max: "milliseconds" = 1_000, "How long one command may look at one state of the index, which grows meanwhile; above it the log names the thread.";
    tidy_every_ms: "milliseconds" = 60_000, "How often the store looks for space that it can give back.";
    tidy_grace_ms: "milliseconds" = 60_000, "How long what was let go of is left as it was: whoever sends a mail looks its place up again within half of that.";
    tidy_octets_per_second: "octets" = 16_777_216, "What giving space back reads and writes in a second, in the mean: mail goes first.";
    tidy_live_percent_min: "percent" = 25, "Of a segment of which less lives, the living mails are moved and the file is removed.";
    connection_stall_ms: "milliseconds" = 60_000, "A peer that takes nothing of what is written to it for so long is cut.";
    proxy_header_ms: "milliseconds" = 5_000, "From accept to the end of a PROXY header: it comes with the first segment.";
    tls_handshake_ms: "milliseconds" = 30_000, "A TLS handshake from its first octet, and silence of the peer within it.";
    memory: "octets" = 0, "All that peers can make grow: connections and their buffers, mails being taken, transcripts, caches, what the store holds back. 0: half of the machine's memory, or of the control group's.";
    admission_connections_max: "connections" = 100_000, "Open connections of all shards and services.";
    admission_address_connections_max: "connections" = 50, "Open connections of one address that has not logged in; Postfix's smtpd_client_connection_count_limit.";
    admission_network_connections_max: "connections" = 200, "The same of a /24, in IPv6 a /64: a large provider sends from many addresses of one.";
    admission_account_connections_max: "connections" = 100, "Open connections that logged in to one account: five devices with a dozen each, and room. Dovecot allows 10 from each address.";
    admission_address_connections_per_minute: "connections" = 600, "Ten in a second. Postfix bounds none by default; a host that sends much keeps its connections.";
    admission_network_connections_per_minute: "connections" = 2_400, "Four busy addresses of one network.";
    admission_address_messages_per_minute: "messages" = 6_000, "A hundred in a second from one address without login: above any list server's, below what fills a disk unseen.";
    admission_network_messages_per_minute: "messages" = 24_000, "Four busy addresses of one network.";
    admission_address_recipients_per_minute: "recipients" = 30_000, "Five for each message, in the mean.";
    admission_network_recipients_per_minute: "recipients" = 120_000, "Five for each message, in the mean.";
    admission_address_errors_per_hour: "errors" = 300, "Commands refused for good: answers slow down from a tenth of it on, and at it the address is banned. A list with 300 dead recipients an hour is no list.";
    admission_network_errors_per_hour: "errors" = 1_500, "Above it the network is banned.";
    admission_address_login_failures_per_hour: "failures" = 30, "Answers slow down from the fourth on, and at it the address is banned: people mistype three times, programs with an old password try every minute or two.";
    admission_network_login_failures_per_hour: "failures" = 150, "Above it the network is banned; a household or an office shares one.";
    admission_account_login_failures_per_hour: "failures" = 60, "From everywhere: above it only networks from which the account logged in before may try. Its owner is never locked out by strangers.";
    admission_account_messages_per_hour: "messages" = 1_000, "What a person, a shop and a newsletter of an association send; a stolen password sends more.";
    admission_account_recipients_per_hour: "recipients" = 5_000, "Five for each message, in the mean.";
    admission_slow_ms_max: "milliseconds" = 10_000, "The slowest answer to a guesser, reached at the bound of errors or failures.";
    admission_ban_ms: "milliseconds" = 600_000, "The first ban of an address or network; each further one lasts twice as long.";
    admission_ban_ms_max: "milliseconds" = 86_400_000, "The longest ban that nobody spoke by hand, and how long one that is over is remembered: an address has another owner some day.";
    admission_bans_max: "bans" = 16_384, "Bans kept, 200 octets each; above it the one that ends first falls.";
    admission_entries_max: "rows" = 65_536, "Addresses told apart, 90 octets each, and as many networks and accounts; above it the one falls that would be forgotten first.";
    admission_crowd: "connections" = 8, "Connections of one network that are many when memory is short.";
    drain_ms: "milliseconds" = 10_000, "After SIGTERM: how long running transactions may take to finish.";
    login_failure_ms: "milliseconds" = 1_000, "What a wrong password waits for its answer at least, beside the hash: guessing one after the other is slow.";
    login_token_ms: "milliseconds" = 5_000, "What whoever knows OAuth tokens may take to answer; then the login is refused for now.";
    login_tokens_max: "requests" = 256, "OAuth tokens waiting to be asked about; above it a temporary refusal.";
    password_hashes_max: "hashes" = 2, "Argon2id at once: each takes 19 MiB and a core.";
    password_queue_max: "requests" = 1_000, "Logins waiting for a hash; above it a temporary refusal.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_and_fields_agree() {
        let mut limits = Limits::default();
        for limit in TABLE {
            assert_eq!(limits.value(limit.name), Some(limit.default));
            assert!(limits.set(limit.name, 7).is_some());
            assert_eq!(limits.value(limit.name), Some(7));
        }
        assert_eq!(limits.set("no_such_limit", 1), None);
    }
}
