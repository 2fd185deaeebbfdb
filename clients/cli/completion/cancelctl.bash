# SPDX-License-Identifier: MIT
# bash completion for cancelctl: commands, options, their values, and the keys that the daemon knows.
# Keys come from others: none of them is ever expanded, and only those that need no quotes are offered.

_cancelctl_everywhere='--server --namespace --json --token-file --tls-ca --tls-cert --tls-key --help --usage --version'

_cancelctl_commands='store cancel delete touch detach get list count wait armed disarm watch drain undrain
    history top ping stats run'

_cancelctl_options() {
    case $1 in
        store) echo '--ttl --policy --meta --label --parent' ;;
        cancel) echo '--gen --after-gen --reason --actor --ack --deadline --arm --label --session --all' ;;
        delete) echo '--gen --outcome' ;;
        touch) echo '--gen --ttl' ;;
        detach) echo '--gen' ;;
        get) echo '--gen' ;;
        list) echo '--state --owner --label --oldest --unacknowledged --limit' ;;
        count) echo '--state --owner --label' ;;
        wait) echo '--gen --until --deadline' ;;
        watch) echo '--no-snapshot --count --timeout' ;;
        drain) echo '--session --daemon --deadline --reason --actor' ;;
        undrain) echo '--session --daemon' ;;
        history) echo '--limit' ;;
        top) echo '--once --interval' ;;
        stats) echo '--prometheus' ;;
        run) echo '--key --ttl --policy --meta --grace --signal --no-daemon --label --parent --adopt' ;;
    esac
}

# Those that are followed by a value.
_cancelctl_takes_value() {
    case $1 in
        --json | --help | --usage | --version | --all | --daemon | --oldest | --unacknowledged | \
            --no-snapshot | --prometheus | --once) return 1 ;;
    esac
    return 0
}

# _cancelctl_values OPTION CURRENT: fills COMPREPLY.
_cancelctl_values() {
    local words=
    case $1 in
        --policy) words='reject supersede join' ;;
        --ack) words='recorded delivered stopped' ;;
        --outcome) words='completed failed cancelled' ;;
        --until) words='cancelling ended' ;;
        --state) words='live cancelling ended' ;;
        --no-daemon) words='fail run' ;;
        --signal)
            words='TERM INT HUP QUIT USR1 USR2 KILL'
            ;;
        --token-file | --tls-ca | --tls-cert | --tls-key)
            mapfile -t COMPREPLY < <(compgen -f -- "$2")
            compopt -o filenames 2>/dev/null
            return
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2")
}

# _cancelctl_keys CURRENT OPTION...: the keys of the daemon and namespace that the options name.
_cancelctl_keys() {
    local current=$1 state key rest
    shift
    while read -r state key rest; do
        case $key in
            *[!A-Za-z0-9._:@%/+,-]* | -*) ;; # it would need quotes
            "$current"*) COMPREPLY+=("$key") ;;
        esac
    done < <(timeout 2 cancelctl "$@" list --limit 200 2>/dev/null </dev/null)
}

_cancelctl() {
    local line=${COMP_LINE:0:COMP_POINT}
    local -a words way=()
    local current='' command='' option='' word i strip
    COMPREPLY=()
    read -ra words <<<"$line"
    case $line in
        *[[:space:]]) ;;
        *) current=${words[-1]} && unset 'words[-1]' ;;
    esac
    # What stands before: the command, an option that waits for its value, and the way to the daemon.
    for ((i = 1; i < ${#words[@]}; i++)); do
        word=${words[i]}
        if [[ -n $option ]]; then
            case $option in
                --server | --namespace | --token-file | --tls-*) way+=("$option" "$word") ;;
            esac
            option=
        elif [[ $word == -- && $command == run ]]; then
            return # the rest is somebody else's command
        elif [[ $word == --*=* ]]; then
            case $word in
                --server=* | --namespace=* | --token-file=* | --tls-*) way+=("$word") ;;
            esac
        elif [[ $word == --* ]]; then
            _cancelctl_takes_value "$word" && option=$word
        elif [[ -z $command ]]; then
            command=$word
        else
            command+=' operand'
        fi
    done

    if [[ -n $option ]]; then
        _cancelctl_values "$option" "$current"
    elif [[ $current == --*=* ]]; then
        _cancelctl_values "${current%%=*}" "${current#*=}"
        # The shell replaces what stands behind the equals sign alone.
        [[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("${COMPREPLY[@]/#/${current%%=*}=}")
        return
    elif [[ $current == -* ]]; then
        word="$(_cancelctl_options "${command%% *}") $_cancelctl_everywhere"
        mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
    elif [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$_cancelctl_commands" -- "$current")
    else
        case $command in
            cancel | delete | touch | detach | get | wait | disarm | history)
                _cancelctl_keys "$current" "${way[@]}"
                ;;
        esac
    fi
    # And behind the last colon, where that parts words.
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        strip=${current%"${current##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$strip"}")
    fi
}

complete -F _cancelctl cancelctl
