package view

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"data-stream-engine/handler"
	"data-stream-engine/model"
)

// brokerAway is when something that is asked of the brokers fails for longer than a moment.
func brokerAway(cfg *Config, s *sight, _ bool) (f finding, ok bool) {
	if len(s.own.Troubles) == 0 {
		return f, false
	}
	t := s.own.Troubles[0]
	f.level, f.since = model.LevelBad, t.Since
	const safe = "Nothing is lost: everything up to the last commit is safe, the rest is read again."
	e, known := errors.AsType[*model.Error](t.Err)
	switch class := model.ClassOf(t.Err); {
	case known && (class == model.Unauthorized || class == model.Misconfigured):
		f.title = "Kafka refuses"
		f.reason = fmt.Sprintf("%s It is tried again at least every 30 s. %s", sentence(plain(t.Err.Error())), safe)
	case class != model.Transient && class != model.Fenced && class != model.Rejoin && class != model.TimedOut:
		f.title = "Something keeps failing"
		f.reason = fmt.Sprintf("%s It is tried again. %s", sentence(plain(t.Err.Error())), safe)
	case goesOn(s):
		f.level, f.title = model.LevelWarn, "Part of the cluster fails"
		f.reason = fmt.Sprintf("%s The rest goes on. %s", sentence(plain(t.Err.Error())), safe)
	case known && e.Code != 0, class != model.Transient:
		f.title = "Broker in trouble"
		f.reason = fmt.Sprintf("%s It is tried again. %s", sentence(plain(t.Err.Error())), safe)
	default:
		f.title = "Broker away"
		f.reason = fmt.Sprintf("No broker of %s answers (%s). %s", list(cfg.Brokers), cause(t.Err), safe)
	}
	return f, true
}

// goesOn tells whether something was committed though something else fails.
func goesOn(s *sight) bool {
	return s.own.LastCommit.After(s.own.Troubles[0].Since.Add(2*time.Second)) && s.at.Sub(s.own.LastCommit) < 5*time.Second
}

// cause is why there is no answer, in a few words.
func cause(err error) string {
	var code syscall.Errno
	var lookup *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &lookup):
		return "the name " + plain(lookup.Name) + " is not found"
	case errors.As(err, &code):
		return code.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connections are closed"
	}
	if e, ok := errors.AsType[*model.Error](err); ok && e.Err != nil {
		return plain(e.Err.Error())
	}
	return plain(err.Error())
}

// starting is until the group has been joined for the first time.
func starting(cfg *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.own.Generations > 0 {
		return f, false
	}
	f.level, f.title, f.since = model.LevelWait, "Starting", cfg.StartedAt
	f.reason = fmt.Sprintf("Joining the group %s; its partitions are shared out within seconds.", plain(cfg.Group))
	for _, c := range s.own.Report.Waiting {
		switch c.Name {
		case "topics":
			f.reason = fmt.Sprintf("Looking at the topics of %s, on %s.", s.topic, list(cfg.Brokers))
		case "control":
			f.reason = fmt.Sprintf("Reading in %s-control what the group is asked, before the first event.", plain(cfg.Group))
		default:
			continue
		}
		if c.Reason != "starting" && !strings.HasPrefix(c.Reason, "reading") {
			f.reason += " " + sentence(plain(c.Reason))
		}
		break
	}
	return f, true
}

// topicGone is when the source topic was deleted, or that of the partials.
func topicGone(cfg *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.gone == "" || s.own.Generations == 0 {
		return f, false
	}
	f.level, f.title = model.LevelBad, "Topic gone"
	f.reason = fmt.Sprintf("The topic %s does not exist any more. Create it again; what comes then is read from its beginning.", s.gone)
	if s.gone != s.topic {
		f.reason = fmt.Sprintf("The topic %s does not exist any more. Create it again with as many partitions as %s-changelog has; windows lack what was in it and not merged yet.", s.gone, plain(cfg.Group))
	}
	return f, true
}

// stopping is from the signal to the end.
func stopping(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.own.Phase != handler.StateStopping {
		return f, false
	}
	f.level, f.title = model.LevelWait, "Stopping"
	f.reason = "This instance finishes and commits what it has begun, and leaves the group."
	return f, true
}

// notRestored is when the state of windows cannot be read back.
func notRestored(_ *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.own.Restore.Err == "" {
		return f, false
	}
	f.level, f.title = model.LevelBad, "Windows cannot be restored"
	f.reason = fmt.Sprintf("%s Events are forwarded; insights of these partitions stand still. It is tried again at least every minute.", sentence(plain(s.own.Restore.Err)))
	return f, true
}

// restoring is while the state of windows is read back.
func restoring(cfg *Config, s *sight, _ bool) (f finding, ok bool) {
	if s.own.Restore.Partitions == 0 {
		return f, false
	}
	f.level, f.title, f.since = model.LevelWait, "Restoring", s.own.Restore.Since
	f.reason = fmt.Sprintf("Aggregate state is being read back from %s-changelog. Events are forwarded already; insights follow when it is done.", plain(cfg.Group))
	return f, true
}
