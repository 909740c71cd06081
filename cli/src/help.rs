//! Help in 80 columns.

/// Columns of a line.
const WIDTH: usize = 80;

/// The text with each line that is too long broken between words. What follows begins where the description of the line does.
pub(crate) fn fitted(text: &str) -> String {
    text.lines().map(|line| if line.chars().count() > WIDTH { broken(line) } else { line.to_owned() + "\n" }).collect()
}

fn broken(line: &str) -> String {
    let begin = line.len() - line.trim_start().len();
    // An option, two spaces or more, its description.
    let gap = line[begin..].find("  ").map(|at| begin + at);
    let column = gap.map_or(begin, |at| at + line[at..].len() - line[at..].trim_start().len());
    let indent = line[..column].chars().count();
    let (mut text, mut n_columns) = (line[..column].to_owned(), indent);
    for (number, word) in line[column..].split_whitespace().enumerate() {
        let n_word = word.chars().count();
        if number > 0 && n_columns + 1 + n_word > WIDTH {
            text = text + "\n" + &" ".repeat(indent);
            n_columns = indent;
        } else if number > 0 {
            text.push(' ');
            n_columns += 1;
        }
        text += word;
        n_columns += n_word;
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn check(command: &mut clap::Command, name: &str) {
        for text in [command.render_help(), command.render_long_help()] {
            for line in fitted(&text.to_string()).lines() {
                assert!(line.chars().count() <= WIDTH, "{name}: {line}");
            }
        }
        command.get_subcommands_mut().for_each(|verb| check(verb, &format!("{name} {}", verb.get_name())));
    }

    #[test]
    fn the_help_of_each_verb_fits_a_terminal() {
        let mut command = crate::Arguments::command();
        command.build();
        check(&mut command, "darkchunk");
    }

    #[test]
    fn a_line_is_broken_below_its_description_and_no_word_is_lost() {
        let line = format!("  -o, --output <FILE>   {}", "word ".repeat(30));
        let found = fitted(&line);
        assert!(
            found.lines().count() > 2 && found.lines().skip(1).all(|line| line.starts_with(&" ".repeat(24))),
            "{found}"
        );
        assert_eq!(found.split_whitespace().collect::<Vec<_>>(), line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(fitted("short\n\nlines\n"), "short\n\nlines\n");
    }
}
