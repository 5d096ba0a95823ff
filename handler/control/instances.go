package control

import (
	"cmp"
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// telling is the operation of tell, for an Observer.
const telling = "tell the group of this instance"

// Instances are the instances of the group that are known, by name, each with its last status. This one is among them as it
// is now, also while no broker can be reached.
func (c *Control) Instances() []model.InstanceStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	all := make([]model.InstanceStatus, 0, len(c.known.instances)+1)
	for name, i := range c.known.instances {
		if name != c.own.Instance {
			all = append(all, i.seen(now))
		}
	}
	if c.own.Instance != "" {
		own := c.own
		own.Age, own.Alive = 0, own.State != stopping
		all = append(all, own)
	}
	slices.SortFunc(all, func(a, b model.InstanceStatus) int { return cmp.Compare(a.Instance, b.Instance) })
	return all
}

// name is this instance's.
func (c *Control) name() string {
	c.mu.Lock()
	name := c.own.Instance
	c.mu.Unlock()
	if name == "" { // nothing was told yet; outside the lock, since whoever is asked may ask for Paused
		name = c.cfg.Own().Instance
	}
	return name
}

// tell writes the status of this instance every few seconds, and at once when others should know, until ctx ends. From time
// to time it deletes those of instances that have been silent for long.
func (c *Control) tell(ctx context.Context) {
	pause := utils.Backoff{Min: time.Second, Max: every}
	var written model.InstanceStatus
	var at, not time.Time // of the last one; before when not to try again
	sweep := time.Now().Add(time.Minute + rand.N(time.Minute))
	for {
		own := c.look()
		now := time.Now()
		if (now.Sub(at) >= every || news(&written, &own)) && !now.Before(not) {
			if err := c.write(ctx, own); err == nil {
				written, at = own, now
				pause.Reset()
				c.cfg.Observer.Recovered(telling)
			} else if ctx.Err() == nil {
				not = time.Now().Add(pause.Next())
				c.cfg.Observer.Retrying(telling, err)
			}
		}
		if now.After(sweep) {
			sweep = now.Add(time.Minute + rand.N(time.Minute)) // all instances do this, not all at once
			c.sweep(ctx)
		}
		if utils.Sleep(ctx, look) != nil {
			return
		}
	}
}

// look takes the status of now.
func (c *Control) look() model.InstanceStatus {
	own := c.cfg.Own()
	own.At, own.Every, own.Age, own.Alive = stamp(time.Now()), model.Seconds(every.Seconds()), 0, true
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = own
	return own
}

// news tells whether the group should hear of a status before its time has come.
func news(before, now *model.InstanceStatus) bool {
	if before.Instance != now.Instance || before.State != now.State || before.Ready != now.Ready || before.Pipeline != now.Pipeline || before.Inexact != now.Inexact {
		return true
	}
	part := func(a, b model.PartitionStatus) bool { return a.Partition == b.Partition && a.State == b.State }
	merge := func(a, b model.MergeStatus) bool { return a.Partition == b.Partition }
	return !slices.EqualFunc(before.Partitions, now.Partitions, part) || !slices.EqualFunc(before.Merging, now.Merging, merge)
}

func (c *Control) write(ctx context.Context, own model.InstanceStatus) error {
	value, err := json.Marshal(own)
	if err != nil {
		return err
	}
	return c.putStatus(ctx, own.Instance, value)
}

func (c *Control) putStatus(ctx context.Context, name string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err := c.cfg.Topic.Put(ctx, instancePrefix+name, value)
	return err
}

// sweep deletes the statuses of instances that have been silent for so long that nobody waits for them.
func (c *Control) sweep(ctx context.Context) {
	c.mu.Lock()
	var gone []string
	for name, i := range c.known.instances {
		if time.Since(i.arrived) >= forgetAfter {
			gone = append(gone, name)
		}
	}
	c.mu.Unlock()
	for _, name := range gone {
		if err := c.putStatus(ctx, name, nil); err != nil {
			return // somebody does it later
		}
		c.cfg.Log.Info().Str("instance", name).Stringer("silent_for", forgetAfter).Msg("forgot an instance that was silent for long")
	}
}

// Leave says that this instance has ended as it should: its status is deleted. Run has ended before.
func (c *Control) Leave(ctx context.Context) error {
	c.mu.Lock()
	name := c.own.Instance
	c.mu.Unlock()
	if name == "" {
		return nil
	}
	return c.putStatus(ctx, name, nil)
}
