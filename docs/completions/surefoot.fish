# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_surefoot_global_optspecs
    string join \n color= v/verbose q/quiet h/help V/version
end

function __fish_surefoot_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_surefoot_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_surefoot_using_subcommand
    set -l cmd (__fish_surefoot_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c surefoot -n "__fish_surefoot_needs_command" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_needs_command" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_needs_command" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_needs_command" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "check" -d 'Look at this machine once and list what matters, worst first'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "capture" -d 'Write the facts of this machine to a file that `--facts` reads anywhere'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "firewall" -d 'Understand a rule set: what it holds, what it does, what is wrong with it'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "consoles" -d 'Show which terminals get a login prompt, and which is the machine\'s console'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "stop" -d 'Stop processes and say how they ended, or why they cannot be stopped'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "signals" -d 'Show which signals a process catches, ignores, blocks or has pending'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "throughput" -d 'Measure a network; the other end may be iperf, iperf3 or surefoot'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "diagnose" -d 'Find the daemon and the cause behind a page, a port or a unit that fails'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "bisect" -d 'Find the lines of a configuration that cause a symptom, and put everything back'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "edit" -d 'Edit files on a copy, check them, and replace them as one change that can be undone'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "changes" -d 'List the changes that surefoot made to this machine, newest first'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "undo" -d 'Undo a change: put back what it replaced'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "confirm" -d 'Keep an armed change, which would be reversed at its deadline'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "rollback" -d 'Reverse an armed change now, before its deadline'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "watchdog" -d 'Reverse an armed entry at its deadline unless it is confirmed'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "bisect-guard" -d 'Put back what a bisection left when it was ended'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "explain" -d 'Print the pages behind findings\' codes, or list all codes'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "man" -d 'Write the manual pages'
complete -c surefoot -n "__fish_surefoot_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l area -d 'Look at these areas only' -r -f -a "firewall\t''
exposure\t''
wrappers\t''
processes\t''
consoles\t''
storage\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''
sarif\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l fail-on -d 'Exit with 1 if a finding is at least this bad' -r -f -a "note\t''
warning\t''
high\t''
critical\t''
never\t'No finding is bad enough'"
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l least -d 'Leave out findings milder than this; what is left out does not count for --fail-on' -r -f -a "note\t''
warning\t''
high\t''
critical\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l explain -d 'Print the page of each finding\'s code under it'
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -l schema -d 'Print the JSON Schema of what `--format json` writes, and look at nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand check" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand capture" -l root -d 'Read the facts from a directory tree instead of this machine' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand capture" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand capture" -l keep-secrets -d 'Keep command lines as they are'
complete -c surefoot -n "__fish_surefoot_using_subcommand capture" -l force -d 'Replace the file if it is there'
complete -c surefoot -n "__fish_surefoot_using_subcommand capture" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand capture" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand capture" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand capture" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "show" -d 'Draw hooks, chains, policies and counters, with jumps as a tree'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "explain" -d 'Follow one packet through every table and hook, down to its verdict'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "why-not" -d 'Name the smallest set of rules that stands between a packet and the verdict you want'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "prove" -d 'Prove that a sentence holds for all packets, or show one for which it does not'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "find" -d 'Find a packet that matches a statement'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "make" -d 'Make the rule that a sentence asks for, and prove that nothing else changes'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "diff" -d 'Show every packet whose verdict changes from one rule set to another'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "flush" -d 'Delete the rules in force, and put them back unless you confirm that'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "reach" -d 'List who can reach which service: every kind of source that the rules tell apart'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "replay" -d 'Say what new rules would have done to traffic that was seen'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "spoof" -d 'Say from which interfaces packets with a forged source are accepted'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "simplify" -d 'Remove rules that no packet can match, and prove that the others do the same'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "check" -d 'List what is wrong with a rule set, worst first'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "apply" -d 'Load rules that let you stay in, and take them back unless you confirm them'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "confirm" -d 'Keep the rules that `surefoot firewall apply` loaded'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "rollback" -d 'Put the old rules back now, without waiting for the deadline'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "save" -d 'Write the rules in force where this system loads them from when it starts'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "init" -d 'Print a good set of rules to begin with, for this machine as it is'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "try-reject" -d 'Answer what the rules in force drop, so that what was forgotten is seen at once'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and not __fish_seen_subcommand_from show explain why-not prove find make diff flush reach replay spoof simplify check apply confirm rollback save init try-reject help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l rules -d 'The same as FILE, as `explain` and `why-not` have it' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''
dot\t'A digraph for Graphviz'
svg\t'A drawing for a browser'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l table -d 'Only this table, such as `filter` or `inet filter`' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l chain -d 'Only this chain and what it jumps to' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l hook -d 'Only chains at this hook, such as `input`' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l depth -d 'Do not follow jumps deeper than this' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l exact -d 'Print counters in full, not as 12K or 3M'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -l schema -d 'Print the JSON Schema of what `--format json` writes, and look at nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l rules -d 'Read rules from this file instead of this machine: iptables-save, ip6tables-save, ipset save, `nft list ruleset` or its JSON; `-` is standard input; may be repeated' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l pcap -d 'Take the packet from this capture file; the words add what it does not hold' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l packet -d 'Which packet of the capture file, from 1' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -l all -d 'Show the rules that did not match, too, and why'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from explain" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -l want -d 'The verdict that you want' -r -f -a "accept\t''
drop\t''
reject\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -l rules -d 'Read rules from this file instead of this machine: iptables-save, ip6tables-save, ipset save, `nft list ruleset` or its JSON; `-` is standard input; may be repeated' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from why-not" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -l policy -d 'Read the sentences from this file [default: /etc/surefoot/firewall.policy]' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -l rules -d 'Read rules from this file instead of this machine: iptables-save, ip6tables-save, ipset save, `nft list ruleset` or its JSON; `-` is standard input; may be repeated' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -l all -d 'Go on behind a sentence that does not hold'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from prove" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -l rules -d 'Read rules from this file instead of this machine: iptables-save, ip6tables-save, ipset save, `nft list ruleset` or its JSON; `-` is standard input; may be repeated' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from find" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l confirm-within -d 'Take the rules back after so long unless they are confirmed, such as 60s or 5m' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l policy -d 'Sentences that must hold [default: /etc/surefoot/firewall.policy, if it is there]' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l rules -d 'Read rules from this file instead of this machine: iptables-save, ip6tables-save, ipset save, `nft list ruleset` or its JSON; `-` is standard input; may be repeated' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l with-exceptions -d 'Leave bans and other rules that decide before about some of the packets where they are, and name them'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l dry-run -d 'Show the rule and what is proved of it, and load nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l print -d 'Print the commands alone, and load nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l no-save -d 'Do not save the rule when it is confirmed'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l even-if-locked-out -d 'Load them although you might not stay in; they are taken back all the same unless they are confirmed'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l same-session -d 'Accept no ssh connection above this process, as on a console or in tmux: every open ssh connection has to stay then'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -l no-wait -d 'Load them and return, without waiting for the confirmation'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from make" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l only -d 'Compare these packets only, in the words of `surefoot firewall prove --help`' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l live -d 'The old rules are those that are loaded'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l all -d 'Show every part of every change'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -l strict -d 'Count another form of the same end as a difference: another answer to who is refused, another queue, another TCP option'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from diff" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l rules -d 'Read rules from this file instead of this machine: iptables-save, ip6tables-save, ipset save, `nft list ruleset` or its JSON; `-` is standard input; may be repeated' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l confirm-within -d 'Take the rules back after so long unless they are confirmed, such as 60s or 5m' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l policy -d 'Sentences that must hold [default: /etc/surefoot/firewall.policy, if it is there]' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l dry-run -d 'Only say what each way to flush would change'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l accept -d 'Set the policies of chains to accept, too'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l nat -d 'Delete rules that translate addresses, too'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l all -d 'Show every part of every change'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l even-if-locked-out -d 'Load them although you might not stay in; they are taken back all the same unless they are confirmed'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l same-session -d 'Accept no ssh connection above this process, as on a console or in tmux: every open ssh connection has to stay then'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -l no-wait -d 'Load them and return, without waiting for the confirmation'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from flush" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -l rules -d 'Read rules from this file instead of this machine: iptables-save, ip6tables-save, ipset save, `nft list ruleset` or its JSON; `-` is standard input; may be repeated' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''
svg\t'A picture of the matrix'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from reach" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l conntrack -d 'Judge the connections that `conntrack -L` or `/proc/net/nf_conntrack` lists' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l old -d 'The old rules [default: those that are loaded]' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l me -d 'Addresses of the host that the traffic was seen on [default: this machine\'s]' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l on -d 'The interface that was captured on, where the capture does not name it' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l limit -d 'Show so many connections of each kind, and so many rules that decide' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -l sockets -d 'Judge the connections that the machine has now'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from replay" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -l all -d 'Show every part of what is accepted'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from spoof" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from simplify" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from simplify" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from simplify" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from simplify" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from simplify" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from simplify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from simplify" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l rules -d 'The same as FILE, as `explain` and `why-not` have it' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l rules-format -d 'The format of the rules, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''
sarif\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l fail-on -d 'Exit with 1 if a finding is at least this bad' -r -f -a "note\t''
warning\t''
high\t''
critical\t''
never\t'No finding is bad enough'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l least -d 'Leave out findings milder than this; what is left out does not count for --fail-on' -r -f -a "note\t''
warning\t''
high\t''
critical\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l explain -d 'Print the page of each finding\'s code under it'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -l schema -d 'Print the JSON Schema of what `--format json` writes, and look at nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l rules-format -d 'The format of the files, where the text does not tell' -r -f -a "v4\t'iptables-save'
v6\t'ip6tables-save'
nft\t'What `nft list ruleset` prints'
nft-json\t'What `nft -j list ruleset` prints'
ipset\t'What `ipset save` prints'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l confirm-within -d 'Take the rules back after so long unless they are confirmed, such as 60s or 5m' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l policy -d 'Sentences that must hold [default: /etc/surefoot/firewall.policy, if it is there]' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l format -d 'The form of the answer; `surefoot firewall apply --schema` prints the JSON Schema' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l dry-run -d 'Try, prove and compare, and load nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l no-save -d 'Do not save them when they are confirmed'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l even-if-locked-out -d 'Load them although you might not stay in; they are taken back all the same unless they are confirmed'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l same-session -d 'Accept no ssh connection above this process, as on a console or in tmux: every open ssh connection has to stay then'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l no-wait -d 'Load them and return, without waiting for the confirmation'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -l schema -d 'Print the JSON Schema of what `--format json` writes, and load nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from apply" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from confirm" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from confirm" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from confirm" -l same-session -d 'Confirm from a console, from tmux or mosh, or from an old connection, which shows nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from confirm" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from confirm" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from confirm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from confirm" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from rollback" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from rollback" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from rollback" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from rollback" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from rollback" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from save" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from save" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from save" -l dry-run -d 'Show what would be written, and write nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from save" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from save" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from save" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from save" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from init" -l as -d 'The form of the rules' -r -f -a "nft\t'For nft, both families in one'
iptables\t'For iptables-restore'
ip6tables\t'For ip6tables-restore'"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from init" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from init" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from init" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from init" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from init" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from init" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l confirm-within -d 'Take the rules back after so long unless they are confirmed, such as 60s or 5m' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l policy -d 'Sentences that must hold [default: /etc/surefoot/firewall.policy, if it is there]' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l dry-run -d 'Try, prove and compare, and load nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l even-if-locked-out -d 'Load them although you might not stay in; they are taken back all the same unless they are confirmed'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l same-session -d 'Accept no ssh connection above this process, as on a console or in tmux: every open ssh connection has to stay then'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -l no-wait -d 'Load them and return, without waiting for the confirmation'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from try-reject" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "show" -d 'Draw hooks, chains, policies and counters, with jumps as a tree'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Follow one packet through every table and hook, down to its verdict'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "why-not" -d 'Name the smallest set of rules that stands between a packet and the verdict you want'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "prove" -d 'Prove that a sentence holds for all packets, or show one for which it does not'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "find" -d 'Find a packet that matches a statement'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "make" -d 'Make the rule that a sentence asks for, and prove that nothing else changes'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "diff" -d 'Show every packet whose verdict changes from one rule set to another'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "flush" -d 'Delete the rules in force, and put them back unless you confirm that'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "reach" -d 'List who can reach which service: every kind of source that the rules tell apart'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "replay" -d 'Say what new rules would have done to traffic that was seen'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "spoof" -d 'Say from which interfaces packets with a forged source are accepted'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "simplify" -d 'Remove rules that no packet can match, and prove that the others do the same'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "check" -d 'List what is wrong with a rule set, worst first'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "apply" -d 'Load rules that let you stay in, and take them back unless you confirm them'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "confirm" -d 'Keep the rules that `surefoot firewall apply` loaded'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "rollback" -d 'Put the old rules back now, without waiting for the deadline'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "save" -d 'Write the rules in force where this system loads them from when it starts'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "init" -d 'Print a good set of rules to begin with, for this machine as it is'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "try-reject" -d 'Answer what the rules in force drop, so that what was forgotten is seen at once'
complete -c surefoot -n "__fish_surefoot_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -l facts -d 'Read the facts from a capture instead of this machine; `-` is standard input' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -l root -d 'Read the facts from a directory tree: a mounted disk, a container\'s root' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -l schema -d 'Print the JSON Schema of what `--format json` writes, and look at nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -f -a "set" -d 'Set which terminals get a login prompt, and take it from all others'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -f -a "add" -d 'Give more terminals a login prompt'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -f -a "remove" -d 'Take the login prompt from terminals'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and not __fish_seen_subcommand_from set add remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l baud -d 'The speed of the serial terminals that are named; without it the kernel\'s, else 115200' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l on-demand -d 'Start prompts on so many virtual terminals when you switch there (systemd)' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l root -d 'Change a directory tree, such as a mounted disk, instead of this machine' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l missing -d 'Set a prompt up on a terminal that does not exist here, or with a program that is missing or cannot be started, for another place where this boots'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l none -d 'Leave no terminal with a prompt, if that is what the list says'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l no-console -d 'Leave the kernel\'s console, and others that are needed, without a prompt'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -s n -l dry-run -d 'Show what would be changed, and change nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -l end-sessions -d 'Take the prompt from a terminal although a user is logged in there'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from set" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -l baud -d 'The speed of the serial terminals that are named; without it the kernel\'s, else 115200' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -l root -d 'Change a directory tree, such as a mounted disk, instead of this machine' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -l missing -d 'Set a prompt up on a terminal that does not exist here, or with a program that is missing or cannot be started, for another place where this boots'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -s n -l dry-run -d 'Show what would be changed, and change nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -l end-sessions -d 'Take the prompt from a terminal although a user is logged in there'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -l root -d 'Change a directory tree, such as a mounted disk, instead of this machine' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -l none -d 'Leave no terminal with a prompt, if none is left'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -l no-console -d 'Take it from the kernel\'s console, and from others that are needed, as well'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -s n -l dry-run -d 'Show what would be changed, and change nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -l end-sessions -d 'Take the prompt from a terminal although a user is logged in there'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from help" -f -a "set" -d 'Set which terminals get a login prompt, and take it from all others'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from help" -f -a "add" -d 'Give more terminals a login prompt'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Take the login prompt from terminals'
complete -c surefoot -n "__fish_surefoot_using_subcommand consoles; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l grace -d 'Seconds from the first signal to KILL; 10 if the daemon is not known to need more' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l signal -d 'The first signal; TERM if the daemon has none of its own' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -s n -l dry-run -d 'Say what would happen and send nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l tree -d 'Stop everything below the targets as well'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l no-kill -d 'Send no KILL: what has not ended after the grace is left, and told'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l kill -d 'Send KILL even to a daemon that it harms'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l all -d 'Stop several unrelated processes of one name'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -s y -l yes -d 'Stop also what is protected or would be started again'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -l schema -d 'Print the JSON Schema of what `--format json` writes, and stop nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand stop" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand signals" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand signals" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand signals" -l list -d 'List all signals with what each is for'
complete -c surefoot -n "__fish_surefoot_using_subcommand signals" -l schema -d 'Print the JSON Schema of what `--format json` writes, and look at nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand signals" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand signals" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand signals" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand signals" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -l as -d 'Take the command line of this program, and print what it prints' -r -f -a "iperf\t'iperf 2, version 2.1.8'
iperf3\t'iperf3, version 3.12'"
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -a "server" -d 'Serve clients of iperf, iperf3 and surefoot, all at once'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -a "client" -d 'Measure the way to a server of iperf, iperf3 or surefoot'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and not __fish_seen_subcommand_from server client help" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s p -l port -d 'A port; may be repeated [default: 5201 and 5001]' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s B -l bind -d 'The address to listen on [default: all]' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l allow -d 'Serve clients of this network only; may be repeated' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l max-rate -d 'The most bit/s of a test; one that asks for more, or for no limit, is refused (iperf3) or slowed down (iperf 2, where the server sends)' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l max-time -d 'The longest test in seconds' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l max-streams -d 'The most streams of a test in each direction' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l log -d 'Add the answers to a file instead of printing them' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l metrics -d 'Give `OpenMetrics` text at http://ADDRESS:PORT/metrics' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t'A line of JSON for each test'"
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s 4 -l version4 -d 'IPv4 only'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s 6 -l version6 -d 'IPv6 only'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s 1 -l one-off -d 'End after one test'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l copy -d 'Copy what is received out of the kernel, as iperf does, instead of discarding it there'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s D -l daemon -d 'Serve in the background, once the ports are there'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l unit -d 'Print a unit file for systemd and exit'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -l keep-root -d 'Stay root'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from server" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s p -l port -d 'The port of the server [default: 5201, then 5001]' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s P -l parallel -d 'Streams in each direction' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s t -l time -d 'Seconds to measure; iperf3 takes whole ones' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s n -l bytes -d 'Bytes to send instead: of all streams together (iperf3), of each (iperf 2)' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s k -l blockcount -d 'Blocks to send instead' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s O -l omit -d 'Seconds at the start that do not count (iperf3 only)' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s i -l interval -d 'Seconds between two reports; 0 is none' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s b -l bitrate -d 'Bit/s of each stream; 0 is without a limit [default: 1.05M for UDP, no limit for TCP]' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s l -l length -d 'Bytes of a block or datagram [default: 128K for TCP, what fits into a packet for UDP]' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s w -l window -d 'Bytes of the socket buffers [default: the system\'s for TCP, up to 8M for UDP]' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s M -l set-mss -d 'The maximum segment size of TCP' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s C -l congestion -d 'The congestion control algorithm of TCP' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s S -l tos -d 'Type of service, 0 to 255' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s B -l bind -d 'The local address' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l cport -d 'The local port of the first stream (iperf3 only)' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s T -l title -d 'A title for the answer' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l fq-rate -d 'Let the kernel pace at so many bit/s' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l connect-timeout -d 'Milliseconds that a connection may take to be made' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s y -l reportstyle -d 'Answer with comma-separated values in the style of iperf 2; C is the only one' -r -f -a "C\t''
c\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l html -d 'Write a page with the rate, the round-trip time and losses over time' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''
openmetrics\t'Metrics for a monitoring system'"
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l schema -d 'Print the JSON Schema of `--format json` and exit'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l iperf2 -d 'Speak the protocol of iperf 2'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l iperf3 -d 'Speak the protocol of iperf3'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s u -l udp -d 'UDP instead of TCP'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s R -l reverse -d 'The server sends'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s d -l both -d 'Both send at once; an iperf 2 server connects back for it'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l bidir -d 'Both send at once over our own connections, as NAT and firewalls want it'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s r -l in-turns -d 'We send, then the server does'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s N -l no-delay -d 'Send small segments at once (`TCP_NODELAY`)'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s 4 -l version4 -d 'IPv4 only'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s 6 -l version6 -d 'IPv6 only'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l dont-fragment -d 'Never fragment datagrams over IPv4'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l copy -d 'Copy what is received out of the kernel, as iperf does, instead of discarding it there'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l no-gso -d 'One call for each datagram, as iperf does'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s J -l json -d 'Answer with the JSON of `iperf3 -J`, key for key, errors too'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l json-stream -d 'Answer with a line of JSON for each event, as `iperf3 --json-stream` does'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -l plot -d 'Draw the rate of each interval beside its row'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from client" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from help" -f -a "server" -d 'Serve clients of iperf, iperf3 and surefoot, all at once'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from help" -f -a "client" -d 'Measure the way to a server of iperf, iperf3 or surefoot'
complete -c surefoot -n "__fish_surefoot_using_subcommand throughput; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l expect -d 'A text that a good answer holds; every hop that is asked the same is looked through for it' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l method -d 'The method of the request; one other than GET is sent once, as it may change something' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l data -d 'What is sent with the request' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -s H -l header -d 'A header of the request, such as `Host: shop.example`; repeat it for more' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l resolve -d 'Ask for HOST at this address, whatever the name leads to; repeat it for more' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l test -d 'A command that shows the symptom: 0 is fine, all else is the symptom' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l downtime -d 'With --break: hold daemons, and search a configuration, for so long in all' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l since -d 'List what changed within so long: files of the chain, packages, changes by surefoot; 0s for none' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l html -d 'Write the chain and the answer as a page, to a file that is not there yet' -r -F
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l break -d 'Where the cause is unknown, hold one daemon after another for a moment and see what changes'
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -l schema -d 'Print the JSON Schema of what `--format json` writes, and look at nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand diagnose" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l test -d 'Run this in a shell to see whether the symptom is there: 0 fine, 1 the symptom, else something else' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l syntax -d 'Run this in a shell to see whether the daemon would take the configuration; known by itself for nginx, Apache, HAProxy, BIND, sshd, PHP-FPM and Postfix in their usual places' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l reload -d 'Run this in a shell to make the daemon take the configuration; it must start one that is down, and return when the new configuration answers (a short delay, as of nginx, is measured and waited for)' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l since -d 'With --changes: only files that changed within so long, such as 2d; in git, since its last commit before' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l as -d 'The structure of the files, if their names and content do not tell it' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l within -d 'End the search after so long, and say what is known by then' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l test-limit -d 'How long one run of the test may take; a longer one counts as something else' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l reload-limit -d 'How long one reload or syntax test may take' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l changes -d 'Search whole files that changed, below CONFIG (else /etc), each with an earlier content: from the journal, git or etckeeper, the archive of its package, or a copy beside it such as FILE.dpkg-old and FILE~'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l fix -d 'Show the smallest change that cures'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l same-output -d 'Take only the same output as on the untouched configuration for the symptom, whatever the status'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -l schema -d 'Print the JSON Schema of what `--format json` writes, and test nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -l confirm-within -d 'Reverse the change after so long unless `surefoot confirm` comes first, such as 60s' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -l reload -d 'Run this in a shell, in `/`, after the files are replaced and after they are put back, such as `systemctl reload nginx`; if it fails, or takes longer than two minutes or than the time to confirm, the files are put back' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -l format -d 'The form of the answer; `surefoot changes --schema` prints the JSON Schema' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -l no-check -d 'Replace the files without a syntax check'
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -l dry-run -d 'Show the difference and check it, and change nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand edit" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -s n -l most -d 'List so many' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -l all -d 'List all'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -l schema -d 'Print the JSON Schema of what `--format json` writes, and look at nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -f -a "show" -d 'Show one change: its state, diff and log'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -f -a "prune" -d 'Forget old changes; they can no longer be undone'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and not __fish_seen_subcommand_from show prune help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from show" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from show" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from show" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -l older-than -d 'Forget what is older than this, such as 90d' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -l keep -d 'Keep so many of the newest' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -l dry-run -d 'Say what would be forgotten, and forget nothing'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from prune" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one change: its state, diff and log'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from help" -f -a "prune" -d 'Forget old changes; they can no longer be undone'
complete -c surefoot -n "__fish_surefoot_using_subcommand changes; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -l confirm-within -d 'Of firewall rules: take the undo back after so long unless it is confirmed' -r
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -l format -d 'The form of the answer; `surefoot changes --schema` prints the JSON Schema' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -l force -d 'Overwrite what another program changed since; it is kept in the journal'
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand undo" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand confirm" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand confirm" -l format -d 'The form of the answer; `surefoot changes --schema` prints the JSON Schema' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand confirm" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand confirm" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand confirm" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand confirm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand confirm" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand rollback" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand rollback" -l format -d 'The form of the answer; `surefoot changes --schema` prints the JSON Schema' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand rollback" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand rollback" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand rollback" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand rollback" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand watchdog" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand watchdog" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand watchdog" -l second -d 'Watch the first watchdog of the entry'
complete -c surefoot -n "__fish_surefoot_using_subcommand watchdog" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand watchdog" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand watchdog" -s h -l help -d 'Print help'
complete -c surefoot -n "__fish_surefoot_using_subcommand watchdog" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect-guard" -l state-dir -d 'The folder of the journal' -r -f -a "(__fish_complete_directories)"
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect-guard" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect-guard" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect-guard" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect-guard" -s h -l help -d 'Print help'
complete -c surefoot -n "__fish_surefoot_using_subcommand bisect-guard" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -l format -d 'The form of the answer' -r -f -a "text\t''
json\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand man" -l color -d 'When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c surefoot -n "__fish_surefoot_using_subcommand man" -s v -l verbose -d 'Say more: the pages behind findings, rules that did not match'
complete -c surefoot -n "__fish_surefoot_using_subcommand man" -s q -l quiet -d 'Say only the answer: no progress, no notes on standard error'
complete -c surefoot -n "__fish_surefoot_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c surefoot -n "__fish_surefoot_using_subcommand man" -s V -l version -d 'Print version'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "check" -d 'Look at this machine once and list what matters, worst first'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "capture" -d 'Write the facts of this machine to a file that `--facts` reads anywhere'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "firewall" -d 'Understand a rule set: what it holds, what it does, what is wrong with it'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "consoles" -d 'Show which terminals get a login prompt, and which is the machine\'s console'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "stop" -d 'Stop processes and say how they ended, or why they cannot be stopped'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "signals" -d 'Show which signals a process catches, ignores, blocks or has pending'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "throughput" -d 'Measure a network; the other end may be iperf, iperf3 or surefoot'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "diagnose" -d 'Find the daemon and the cause behind a page, a port or a unit that fails'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "bisect" -d 'Find the lines of a configuration that cause a symptom, and put everything back'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "edit" -d 'Edit files on a copy, check them, and replace them as one change that can be undone'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "changes" -d 'List the changes that surefoot made to this machine, newest first'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "undo" -d 'Undo a change: put back what it replaced'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "confirm" -d 'Keep an armed change, which would be reversed at its deadline'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "rollback" -d 'Reverse an armed change now, before its deadline'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "watchdog" -d 'Reverse an armed entry at its deadline unless it is confirmed'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "bisect-guard" -d 'Put back what a bisection left when it was ended'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "explain" -d 'Print the pages behind findings\' codes, or list all codes'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "completions" -d 'Print the completions for a shell'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "man" -d 'Write the manual pages'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and not __fish_seen_subcommand_from check capture firewall consoles stop signals throughput diagnose bisect edit changes undo confirm rollback watchdog bisect-guard explain completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "show" -d 'Draw hooks, chains, policies and counters, with jumps as a tree'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "explain" -d 'Follow one packet through every table and hook, down to its verdict'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "why-not" -d 'Name the smallest set of rules that stands between a packet and the verdict you want'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "prove" -d 'Prove that a sentence holds for all packets, or show one for which it does not'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "find" -d 'Find a packet that matches a statement'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "make" -d 'Make the rule that a sentence asks for, and prove that nothing else changes'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "diff" -d 'Show every packet whose verdict changes from one rule set to another'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "flush" -d 'Delete the rules in force, and put them back unless you confirm that'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "reach" -d 'List who can reach which service: every kind of source that the rules tell apart'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "replay" -d 'Say what new rules would have done to traffic that was seen'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "spoof" -d 'Say from which interfaces packets with a forged source are accepted'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "simplify" -d 'Remove rules that no packet can match, and prove that the others do the same'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "check" -d 'List what is wrong with a rule set, worst first'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "apply" -d 'Load rules that let you stay in, and take them back unless you confirm them'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "confirm" -d 'Keep the rules that `surefoot firewall apply` loaded'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "rollback" -d 'Put the old rules back now, without waiting for the deadline'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "save" -d 'Write the rules in force where this system loads them from when it starts'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "init" -d 'Print a good set of rules to begin with, for this machine as it is'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "try-reject" -d 'Answer what the rules in force drop, so that what was forgotten is seen at once'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from consoles" -f -a "set" -d 'Set which terminals get a login prompt, and take it from all others'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from consoles" -f -a "add" -d 'Give more terminals a login prompt'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from consoles" -f -a "remove" -d 'Take the login prompt from terminals'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from throughput" -f -a "server" -d 'Serve clients of iperf, iperf3 and surefoot, all at once'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from throughput" -f -a "client" -d 'Measure the way to a server of iperf, iperf3 or surefoot'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from changes" -f -a "show" -d 'Show one change: its state, diff and log'
complete -c surefoot -n "__fish_surefoot_using_subcommand help; and __fish_seen_subcommand_from changes" -f -a "prune" -d 'Forget old changes; they can no longer be undone'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'CO001' -d 'the kernel\'s console has no login prompt'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'CO002' -d 'a login prompt is set up on a terminal that does not exist'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'CO003' -d 'root is refused on the console by securetty'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'CO004' -d 'the console that the hypervisor shows has no login prompt'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'CO005' -d 'two login prompts share one terminal'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'CO006' -d 'a file about login prompts is never read'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'CO007' -d 'a console beside the kernel\'s first has no login prompt'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'CO008' -d 'the default runlevel halts or reboots'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'EX001' -d 'a service meant for this host or a private network waits for strangers'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'EX002' -d 'a program listens for other machines'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'EX003' -d 'hosts.allow or hosts.deny has rules that no running program reads'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'EX004' -d 'a program waits beside the ports: frames, raw packets, vsock'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW001' -d 'policy DROP without an explicit last rule: a flush locks you out'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW002' -d 'what a flush leaves behind'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW003' -d 'loopback is not accepted, or accepted too late'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW004' -d '127.0.0.0/8 is accepted from outside'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW005' -d 'ICMP is accepted whatever its type'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW006' -d 'ICMP messages are dropped that must not be'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW007' -d 'established traffic is accepted late'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW008' -d 'DROP where REJECT would help'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW009' -d 'obscure rules without a comment'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW010' -d 'a long chain that should be split'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW011' -d 'the rules in force are not those that boot'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW012' -d 'nothing loads the rules at boot'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW013' -d 'IPv4 and IPv6 disagree'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW014' -d 'SSH cannot be reached, or can be tried without limit'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW015' -d 'published container ports bypass INPUT'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW016' -d 'an accept that is not final'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW017' -d 'legacy tables and nf_tables are both in force'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW018' -d 'LOG without a limit'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW019' -d 'chains or sets that nothing uses'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW020' -d 'a source port is trusted'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW021' -d 'thousands of anonymous sets'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW022' -d 'rules that can never match'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW023' -d 'no rule filters anything'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW024' -d 'answers of connections are dropped'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW025' -d 'rules that no packet can match'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW026' -d 'rules without which nothing would change'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'FW027' -d 'chains that no packet enters'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'PR001' -d 'zombie processes'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'PR002' -d 'processes in uninterruptible sleep'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'PR003' -d 'stopped processes'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'PR004' -d 'processes that ignore TERM'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'ST001' -d 'fstab names disks by names that can change'
complete -c surefoot -n "__fish_surefoot_using_subcommand explain" -f -a 'ST002' -d 'fstab asks for a disk that is not there'
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -f -a 'bash' -d ''
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -f -a 'elvish' -d ''
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -f -a 'fish' -d ''
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -f -a 'powershell' -d ''
complete -c surefoot -n "__fish_surefoot_using_subcommand completions" -f -a 'zsh' -d ''
